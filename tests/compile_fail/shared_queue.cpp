// An evaluator that a queue cannot give to every processor is refused in one sentence, the first error.
//
// BAD MOVE_ONLY: batchmate::shared_queue: needs a copyable evaluator; wrap a device's in a handle
#include <batchmate/batch/shared_queue.hpp>
#include <batchmate/game/tictactoe.hpp>

#include <memory>
#include <string>

namespace bm = batchmate;

struct device {
  void submit(int, bm::batch<bm::tictactoe> const&) {}
  void wait(int) {}
  std::string identity() const { return "device"; }
#ifdef MOVE_ONLY
  std::unique_ptr<int> stream{};
#endif
};

void connect() { (void)bm::shared_queue{}.connect<bm::tictactoe>(device{}); }
