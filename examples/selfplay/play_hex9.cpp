#include <batchmate/game/hex.hpp>

#include <selfplay/play_definition.hpp>

template run_result play<batchmate::hex9>(job const&, std::FILE*, std::stop_token);
