#pragma once

#include <batchmate/cuda/packing.hpp>
#include <batchmate/cuda/symmetry.hpp>
#include <batchmate/eval/batch.hpp>
#include <batchmate/net/network.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// What the device does, on the host: the kernels' arithmetic on the packed weights, with loops where the device has
/// cuDNN and threads. Models `evaluator_for` every game, and stands in for the device in tests. Rounds to the
/// precision wherever the device stores.
class host_network {
 public:
  host_network(batchmate::network const& net, batchmate::cuda::precision elements,
               batchmate::cuda::board_symmetries symmetries = {})
      : packed_(net, elements), hidden_size_(net.value_hidden.outputs), symmetries_(std::move(symmetries)) {}

  template <batchmate::game G>
  void submit(int, batchmate::batch<G> const& rows) const {
    for (int b = 0; b < rows.count; ++b)
      batchmate::cuda::with_element(packed_.shape().elements,
                                    [&]<class Element>(Element) { evaluate<Element>(rows.raw(), b); });
  }
  void wait(int) const {}
  bool moves_rows() const { return symmetries_.count > 0 && !symmetries_.seed; }
  std::string identity() const { return "host"; }

 private:
  template <class Element>
  Element const* at(std::size_t place) const {
    return reinterpret_cast<Element const*>(packed_.bytes().data() + place);
  }

  template <class Element>
  void evaluate(batchmate::raw_batch const& rows, int b) const {
    using namespace batchmate::cuda;
    int const symmetry =
        symmetries_.count > 0 ? symmetry_of(rows.row(b), rows.layout, symmetries_.choice()) : 0;
    std::vector<Element> front = input<Element>(rows, b, symmetry);
    auto const& places = packed_.places().convolutions;
    front = convolve<Element>(layer::stem, places[0], front, nullptr);
    for (std::size_t i = 1; i + 1 < places.size(); i += 2) {
      auto const back = convolve<Element>(layer::first, places[i], front, nullptr);
      front = convolve<Element>(layer::second, places[i + 1], back, &front);
    }
    answer<Element>(rows, b, symmetry, convolve<Element>(layer::head, places.back(), front, nullptr));
  }

  template <class Element>
  std::vector<Element> input(batchmate::raw_batch const& rows, int b, int symmetry) const {
    using namespace batchmate::cuda;
    int const cells = packed_.shape().cells();
    std::vector<Element> out;
    for (int cell = 0; cell < cells; ++cell)
      for (int first = 0; first < packed_.shape().inputs; first += packet<Element>::size) {
        int const from = symmetries_.count > 0
                             ? symmetries_.cells[static_cast<std::size_t>(symmetry * cells + cell)]
                             : cell;
        auto const some = unpack_cell<Element>(rows.row(b), rows.layout, from, first);
        out.insert(out.end(), some.at, some.at + packet<Element>::size);
      }
    return out;
  }

  template <class Element>
  std::vector<Element> convolve(batchmate::cuda::layer l,
                                batchmate::cuda::weight_places::convolution_place const& place,
                                std::vector<Element> const& x, std::vector<Element> const* z) const {
    using namespace batchmate::cuda;
    auto const e = extents_of(packed_.shape(), l, 1);
    int const reach = e.kernel / 2;
    std::vector<Element> y(static_cast<std::size_t>(e.height * e.width * e.outputs));
    for (int r = 0; r < e.height; ++r)
      for (int c = 0; c < e.width; ++c)
        for (int k = 0; k < e.outputs; ++k) {
          float sum = 0;
          for (int i = 0; i < e.kernel; ++i)
            for (int j = 0; j < e.kernel; ++j) {
              int const from_r = r + i - reach, from_c = c + j - reach;
              if (from_r < 0 || from_r >= e.height || from_c < 0 || from_c >= e.width) continue;
              Element const* const from = x.data() + (from_r * e.width + from_c) * e.inputs;
              Element const* const w =
                  at<Element>(place.weights) + ((k * e.kernel + i) * e.kernel + j) * e.inputs;
              for (int in = 0; in < e.inputs; ++in) sum = add_product(widen(from[in]), widen(w[in]), sum);
            }
          std::size_t const to = static_cast<std::size_t>((r * e.width + c) * e.outputs + k);
          if (z) sum += widen((*z)[to]);
          y[to] = narrow<Element>(std::max(sum + widen(at<Element>(place.bias)[k]), 0.0f));
        }
    return y;
  }

  /// A layer of the heads, as the kernel `dense` computes it.
  template <class Element>
  std::vector<float> dense(batchmate::cuda::dense_shape const& s, Element const* x,
                           batchmate::cuda::weight_places::dense_place const& place) const {
    using namespace batchmate::cuda;
    std::vector<float> y;
    for (int o = 0; o < s.stride; ++o) {
      float sum = at<float>(place.bias)[o];
      for (int i = 0; i < s.inputs; ++i)
        sum = add_product(dense_input_at(s, x, 0, i), at<float>(place.weights)[i * s.stride + o], sum);
      y.push_back(s.relu ? std::max(sum, 0.0f) : sum);
    }
    return y;
  }

  template <class Element>
  void answer(batchmate::raw_batch const& rows, int b, int symmetry,
              std::vector<Element> const& features) const {
    using namespace batchmate::cuda;
    auto const logits = dense(packed_.policy(), features.data(), packed_.places().policy);
    auto const hidden =
        dense(packed_.hidden(), features.data() + packed_.value_channel(), packed_.places().hidden);
    float outputs[3] = {}, part[lanes];
    for (int o = 0; o < packed_.value_outputs(); ++o) {
      float const* const weights = at<float>(packed_.places().value.weights) + o * hidden_size_;
      for (int l = 0; l < lanes; ++l) part[l] = dot_of_lane(hidden.data(), weights, hidden_size_, l);
      outputs[o] = sum_over_lanes(part) + at<float>(packed_.places().value.bias)[o];
    }
    rows.values[b] = value_of(outputs[0], outputs[1], outputs[2], packed_.value_outputs());

    int const num_actions = rows.layout.num_actions;
    std::uint64_t const* const legal = rows.row(b) + rows.layout.plane_words();
    renamed_actions names;
    if (symmetries_.count > 0)
      names = {symmetries_.actions.data() + symmetry * num_actions,
               symmetries_.unactions.data() + symmetry * num_actions};
    int count = 0;
    for (int a = 0; a < num_actions; ++a) count += is_legal(legal, a);
    float largest = -INFINITY;
    for (int l = 0; l < lanes; ++l)
      largest = std::max(largest, look_at_logits(logits.data(), names, legal, num_actions, l).largest);
    for (int l = 0; l < lanes; ++l)
      part[l] = exp_sum_of_lane(logits.data(), names, legal, num_actions, l, largest);
    float const sum = sum_over_lanes(part);
    for (int l = 0; l < lanes; ++l)
      write_priors_of_lane(logits.data(), names, legal, num_actions, l, largest, sum, count,
                           rows.priors_of(b));
  }

  batchmate::cuda::packed_network packed_;
  int hidden_size_;
  batchmate::cuda::board_symmetries symmetries_;
};
