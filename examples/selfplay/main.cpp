/// Plays many games against itself at once and writes training rows: see --help.
#include <common/games.hpp>
#include <common/interrupt.hpp>
#include <common/summary.hpp>
#include <selfplay/play.hpp>

#include <cstdio>
#include <string>
#include <variant>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace {

/// Has blocks of a megabyte and more returned to the system when they are freed. By default glibc keeps them from the
/// second on, so that networks that replace one another would leave holes between what stays.
void return_large_blocks() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
}

}  // namespace

int main(int argc, char** argv) {
  return_large_blocks();
  return common::guarded("selfplay", [&] {
    auto const parsed = parse_flags(argc, argv);
    if (int const* const status = std::get_if<int>(&parsed)) return *status;
    job const& wanted = std::get<job>(parsed);
    common::check_summary_place(wanted.summary);
    common::interrupt_watch const signals;
    std::FILE* const text = wanted.summary == "-" ? stderr : stdout;
    try {
      run_result const result = common::with_game(
          wanted.game, [&]<batchmate::game G>() { return play<G>(wanted, text, signals.token()); });
      print_summary(text, wanted, result);
      write_summary(wanted, result);
    } catch (batchmate::disk_full_error const& full) {
      if (!wanted.wait_for_disk || signals.status() == 0) throw;
      note(stderr,
           std::string("interrupted while the disk is full; what it holds is whole, and --resume goes on: ") +
               full.what());
    }
    return signals.status();
  });
}
