// forward NETWORK ROWS: evaluates the rows of a shard with the network in plain loops. Prints a line for
// each: the value, then the priors of the legal actions in ascending order. For test_forward.py, which
// compares them with PyTorch.

#include <batchmate/core/error.hpp>
#include <batchmate/eval/batch.hpp>
#include <batchmate/eval/reference.hpp>
#include <batchmate/net/network_file.hpp>
#include <batchmate/net/safetensors.hpp>

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <exception>
#include <optional>
#include <vector>

namespace {

namespace bm = batchmate;

/// A game that is only its extents, to hold rows of any content.
template <bm::shape Input, int Globals, int Actions>
struct board {
  static constexpr int num_actions = Actions;
  static constexpr bm::shape input = Input;
  static constexpr int max_plies = 1;
  static constexpr int num_globals = Globals;

  bm::action_set<Actions> legal_actions() const { return bm::action_set<Actions>::all(); }
  void play(int) {}
  std::optional<float> result() const { return std::nullopt; }
  void encode(bm::plane_bits<Input>&) const {}
  void encode_globals(float*) const {}
};

/// Copies row b of a tensor, which must have `bytes` bytes a row, to `to`.
void copy_row(bm::tensor const& from, std::size_t b, std::size_t bytes, void* to) {
  bm::expects(from.bytes.size() == from.extents.at(0) * bytes, "forward: ", from.name, ": expected ", bytes,
              " bytes a row");
  std::memcpy(to, from.bytes.data() + b * bytes, bytes);
}

/// The rows of a shard.
template <class Board>
std::vector<bm::row<Board>> read_rows(bm::tensor_file const& file) {
  std::vector<bm::row<Board>> rows(file.at("planes").extents.at(0));
  for (std::size_t b = 0; b < rows.size(); ++b) {
    copy_row(file.at("planes"), b, sizeof rows[b].planes, &rows[b].planes);
    copy_row(file.at("legal"), b, sizeof rows[b].legal, &rows[b].legal);
    if constexpr (Board::num_globals > 0)
      copy_row(file.at("globals"), b, Board::num_globals * sizeof(float), rows[b].globals.data());
  }
  return rows;
}

/// Evaluates and prints if the network is for this board; returns whether it is.
template <class Board>
bool run(bm::network const& net, bm::tensor_file const& file) {
  if (net.input != Board::input || net.num_globals != Board::num_globals ||
      net.num_actions != Board::num_actions)
    return false;
  auto const rows = read_rows<Board>(file);
  int const count = static_cast<int>(rows.size());
  std::vector<Board> const positions(rows.size());
  std::vector<float> values(rows.size()), priors(rows.size() * Board::num_actions);
  bm::batch<Board> const batch{count, positions.data(), rows.data(), values.data(), priors.data()};
  bm::reference evaluator(net);
  bm::reserve(evaluator, {bm::layout_of<Board>(), 1, count});
  evaluator.submit(0, batch);
  evaluator.wait(0);
  for (int b = 0; b < count; ++b) {
    std::printf("%.9g", static_cast<double>(batch.values[b]));
    for (int i = 0; i < batch.rows[b].legal.count(); ++i)
      std::printf(" %.9g", static_cast<double>(batch.priors_of(b)[i]));
    std::printf("\n");
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    bm::expects(argc == 3, "usage: forward NETWORK ROWS");
    auto const net = bm::load_network(argv[1]);
    bm::tensor_file const file(argv[2]);
    bool const known = run<board<bm::shape{2, 6, 7}, 0, 7>>(net, file) ||
                       run<board<bm::shape{1, 1, 10}, 1, 3>>(net, file) ||
                       run<board<bm::shape{3, 5, 4}, 2, 21>>(net, file) ||
                       run<board<bm::shape{3, 13, 13}, 0, 170>>(net, file);
    bm::expects(known, "forward: ", argv[1], " is for a board that this program was not compiled for");
    return 0;
  } catch (std::exception const& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
