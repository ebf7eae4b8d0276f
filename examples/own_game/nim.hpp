#pragma once

#include <batchmate/game/concepts.hpp>

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

/// A game of one's own for the programs, which hold positions and moves as text. Players take 1, 2 or 3 of ten stones;
/// whoever takes the last one wins.
///
///     cmake --preset host -B build/own -DBATCHMATE_BUILD_TESTS=OFF -DBATCHMATE_GAMES="nim=examples/own_game/nim.hpp;connect4"
///     cmake --build build/own --target selfplay match analyse play
///     build/own/examples/selfplay --game nim --evaluator uniform
struct nim {
  static constexpr int num_actions = 3, max_plies = 10;
  static constexpr batchmate::shape input{1, 1, 10};
  int stones = 10;

  batchmate::action_set<num_actions> legal_actions() const {
    batchmate::action_set<num_actions> legal;
    for (int action = 0; action < num_actions && action < stones; ++action) legal.set(action);
    return legal;
  }
  void play(int action) { stones -= action + 1; }
  std::optional<float> result() const { return stones ? std::nullopt : std::optional(batchmate::loss); }
  void encode(batchmate::plane_bits<input>& planes) const {
    for (int i = 0; i < stones; ++i) planes.set(0, 0, i);
  }

  static std::string name() { return "nim"; }
  static std::string action_text(int action) { return std::to_string(action + 1); }
  static std::optional<int> parse_action(std::string_view text) {
    auto const taken = parse(text);
    return taken && *taken >= 1 && *taken <= num_actions ? std::optional(*taken - 1) : std::nullopt;
  }
  std::string to_text() const { return std::to_string(stones) + std::string(unit); }
  static std::optional<nim> from_text(std::string_view text) {
    if (!text.ends_with(unit)) return std::nullopt;
    auto const left = parse(text.substr(0, text.size() - unit.size()));
    return left && *left >= 0 && *left <= 10 ? std::optional(nim{*left}) : std::nullopt;
  }
  std::string draw() const { return to_text(); }

 private:
  static constexpr std::string_view unit = " stones";

  static std::optional<int> parse(std::string_view text) {
    int number = 0;
    auto const [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    bool const whole = problem == std::errc() && end == text.data() + text.size();
    return whole && std::to_string(number) == text ? std::optional(number) : std::nullopt;
  }
};
