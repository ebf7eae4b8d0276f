#pragma once

#include <algorithm>
#include <bit>

namespace batchmate {

/// When sequential halving (Karnin et al., ICML 2013) visits which moves: in rounds that visit each move once, some
/// with all of them, then some with the better half, and so on down to two. Every one of these phases takes the same
/// share of the simulations, rounded down to whole rounds, at least one; the simulations that are left go to the last
/// two moves, in phases of the same length. The end of the simulations may cut the last round short. These are the
/// visits of Danihelka et al. (ICLR 2022) as their implementation has them.
class sequential_halving {
 public:
  sequential_halving() = default;
  /// For this many simulations over this many moves, both positive.
  sequential_halving(int simulations, int moves)
      : simulations_(simulations),
        phases_(std::bit_width(static_cast<unsigned>(moves - 1))),
        fewest_(std::min(2, moves)),
        moves_(moves),
        rounds_(rounds()) {}

  int moves() const { return moves_; }    ///< how many of them this round visits
  int visits() const { return visits_; }  ///< that each of these has had before

  /// Goes on to the next round; true if it visits fewer moves than this one.
  bool next() {
    ++visits_;
    if (--rounds_ > 0) return false;
    int const before = moves_;
    moves_ = std::max(fewest_, moves_ / 2);
    rounds_ = rounds();
    return moves_ < before;
  }

 private:
  int rounds() const { return std::max(1, simulations_ / std::max(1, phases_ * moves_)); }

  int simulations_ = 1;
  int phases_ = 0;  // down to two moves
  int fewest_ = 1;
  int moves_ = 1;
  int rounds_ = 1;  // left in this phase, this one included
  int visits_ = 0;
};

}  // namespace batchmate
