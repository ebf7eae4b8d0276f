#pragma once

#include <batchmate/cuda/convolution.hpp>
#include <batchmate/net/json.hpp>
#include <batchmate/net/layers.hpp>

#include <array>
#include <cstddef>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>

namespace batchmate::cuda {

/// The four convolutions that a tower is made of.
enum class layer { stem, first, second, head };
/// All of them.
constexpr std::array<layer, 4> all_layers{layer::stem, layer::first, layer::second, layer::head};

/// `stem`, `first`, `second` or `head`.
constexpr char const* name_of(layer l) {
  constexpr char const* names[] = {"stem", "first", "second", "head"};
  return names[static_cast<int>(l)];
}

/// The least multiple of 8 that is not less than n: channels on the device, so that all stores are 16 bytes.
constexpr int padded_channels(int n) { return (n + 7) / 8 * 8; }

/// All that the convolutions of a tower depend on. Channels are padded.
struct tower_shape {
  int inputs;          ///< planes and globals
  int channels;        ///< of the tower
  int head_channels;   ///< both heads' 1x1 convolutions, side by side
  int height, width;   ///< of the board
  precision elements;  ///< of weights and activations

  int cells() const { return height * width; }  ///< H * W
  friend bool operator==(tower_shape const&, tower_shape const&) = default;
};

/// The shape of a network's tower on the device.
inline tower_shape tower_shape_of(network const& net, precision elements) {
  return {padded_channels(net.inputs()),
          padded_channels(net.channels()),
          padded_channels(net.policy_conv.outputs + net.value_conv.outputs),
          net.input.rows,
          net.input.columns,
          elements};
}

/// One convolution of a tower for a number of rows.
inline convolution_extents extents_of(tower_shape const& t, layer l, int rows) {
  int const inputs = l == layer::stem ? t.inputs : t.channels;
  int const outputs = l == layer::head ? t.head_channels : t.channels;
  return {rows, inputs, outputs, t.height, t.width, l == layer::head ? 1 : 3, l == layer::second, t.elements};
}

/// Which engine computes which convolution, for every number of rows: with it, and the version of cuDNN, the
/// network's answers are fixed to the last bit. As text it can be kept and given to the next run.
struct tower_plan {
  std::string cudnn;                    ///< version that it was made with
  std::string origin;                   ///< how it was chosen: `pinned`, `heuristics`, `tuned`, `fallback`
  std::array<engine_choice, 4> layers;  ///< by `layer`

  /// The choice for one convolution.
  engine_choice const& of(layer l) const { return layers[static_cast<std::size_t>(l)]; }
  /// The same, to be changed.
  engine_choice& of(layer l) { return layers[static_cast<std::size_t>(l)]; }
  friend bool operator==(tower_plan const&, tower_plan const&) = default;
};

/// `41(2=0 13=1 18=0 25=1 27=8 28=1)`: the engine and its knobs, type=value.
inline std::string text_of(engine_choice const& choice) {
  std::string text = std::to_string(choice.engine) + "(";
  for (auto const& k : choice.knobs)
    text += concat(&k == choice.knobs.data() ? "" : " ", k.type, "=", k.value);
  return text + ")";
}

/// The choices of all layers; those that are equal are written once.
inline std::string short_text_of(tower_plan const& plan) {
  std::string text, last;
  for (layer const l : all_layers) {
    std::string const now = text_of(plan.of(l));
    if (now != last) text += concat(text.empty() ? "" : ",", name_of(l), "=", now);
    last = now;
  }
  return text;
}

/// The plan as text, a line each for the version, the origin and the layers.
inline std::string text_of(tower_plan const& plan) {
  std::string text = "batchmate cudnn plan 1\ncudnn " + plan.cudnn + "\norigin " + plan.origin + "\n";
  for (layer const l : all_layers) text += concat(name_of(l), " ", text_of(plan.of(l)), "\n");
  return text;
}

/// The reverse of `text_of`. Throws `file_error`, naming `source` and the line, for anything else.
inline tower_plan parse_plan(std::string const& text, std::string const& source) {
  std::istringstream lines(text);
  int number = 0;
  std::string line;
  auto const broken = [&](std::string const& expected) {
    return file_error(
        concat(source, ": line ", number, ": expected ", expected, ", found '", printable(line), "'"));
  };
  auto const after = [&](std::string const& key) {
    ++number;
    if (!std::getline(lines, line) || !line.starts_with(key + " ")) throw broken("'" + key + " ...'");
    return line.substr(key.size() + 1);
  };
  if (after("batchmate cudnn plan") != "1") throw broken("'batchmate cudnn plan 1'");
  tower_plan plan;
  auto const word = [&](std::string const& key) {
    std::string const found = after(key);
    if (found != printable(found)) throw broken("a short printable text");
    return found;
  };
  plan.cudnn = word("cudnn");
  plan.origin = word("origin");
  for (layer const l : all_layers) {
    std::string choice = after(name_of(l));
    for (char& c : choice)
      if (c == '(' || c == ')') c = ' ';
    std::istringstream words(choice);
    if (!(words >> plan.of(l).engine)) throw broken("an engine and its knobs");
    char equals = 0;
    for (knob k{}; words >> k.type >> equals >> k.value;) plan.of(l).knobs.push_back(k);
    if (!words.eof() || (!plan.of(l).knobs.empty() && equals != '=') ||
        text_of(plan.of(l)) != line.substr(line.find(' ') + 1))
      throw broken("an engine and its knobs");
  }
  ++number;
  if (std::getline(lines, line)) throw broken("the end");
  return plan;
}

}  // namespace batchmate::cuda
