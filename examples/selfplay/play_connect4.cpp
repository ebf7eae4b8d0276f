#include <batchmate/game/connect4.hpp>

#include <selfplay/play_definition.hpp>

template run_result play<batchmate::connect4>(job const&, std::FILE*, std::stop_token);
