/// Plays many games against itself at once and writes training rows: see --help.
#include <common/games.hpp>
#include <common/interrupt.hpp>
#include <selfplay/play.hpp>

#include <cstdio>
#include <variant>

int main(int argc, char** argv) {
  return common::guarded("selfplay", [&] {
    auto const parsed = parse_flags(argc, argv);
    if (int const* const status = std::get_if<int>(&parsed)) return *status;
    job const& wanted = std::get<job>(parsed);
    check_summary_place(wanted.summary);
    common::interrupt_watch const interrupt;
    std::FILE* const text = wanted.summary == "-" ? stderr : stdout;
    run_result const result = common::with_game(
        wanted.game, [&]<batchmate::game G>() { return play<G>(wanted, text, interrupt.token()); });
    print_summary(text, wanted, result);
    write_summary(wanted, result);
    return interrupt.received() ? 128 + interrupt.received() : 0;
  });
}
