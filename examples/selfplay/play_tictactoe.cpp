#include <batchmate/game/tictactoe.hpp>

#include <selfplay/play_definition.hpp>

template run_result play<batchmate::tictactoe>(job const&, std::FILE*, std::stop_token);
