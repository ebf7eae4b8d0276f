// A game against a network in the terminal, or in a pipe: one command a line.

#include <common/flags.hpp>
#include <common/program.hpp>
#include <common/summary.hpp>

#include <support/table_flags.hpp>

#include <cstddef>
#include <cstdio>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace {

char const* const commands =
    "Type a move, or:\n"
    "  hint    what the network would play\n"
    "  moves   all legal moves\n"
    "  undo    take back your last move and the answer\n"
    "  board, help, quit\n";

/// A person at the table against its search.
class match_of_two {
 public:
  match_of_two(table& at, bool person_first) : table_(at), person_first_(person_first) {}

  void play() {
    std::printf("You move %s.\n%s\n%s", person_first_ ? "first" : "second", commands, table_.draw().c_str());
    while (!table_.result()) {
      if (!persons_turn()) {
        answer();
      } else if (!obey()) {
        std::printf("Goodbye.\n");
        return;
      }
    }
    // The result is for the player to move.
    float const result = persons_turn() ? *table_.result() : -*table_.result();
    std::printf("%s\n", result > 0 ? "You win." : result < 0 ? "You lose." : "A draw.");
  }

 private:
  bool persons_turn() const { return (table_.plies() % 2 == 0) == person_first_; }

  static std::string join(std::vector<std::string> const& words, std::size_t most) {
    std::string text;
    for (std::size_t i = 0; i < words.size() && i < most; ++i) text += (i > 0 ? " " : "") + words[i];
    return text;
  }

  /// Plays what the search thinks best.
  void answer() {
    analysis const found = table_.think();
    table_.play(found.move);
    std::printf("\nThe network plays %s (value %+.2f for it; line %s)\n%s", found.move.c_str(), found.value,
                join(found.principal_variation, 6).c_str(), table_.draw().c_str());
  }

  /// Reads one command and does it; false at the end.
  bool obey() {
    std::printf("> ");
    std::fflush(stdout);
    std::string line, word;
    if (!std::getline(std::cin, line)) {
      std::printf("\n");
      return false;
    }
    std::istringstream words(line);
    if (!(words >> word)) return true;
    if (std::string rest; words >> rest) {
      std::printf("One move or command a line, please: '%s' is too much.\n", line.c_str());
      return true;
    }
    if (word == "quit" || word == "exit") return false;
    run(word);
    return true;
  }

  void run(std::string const& word) {
    if (word == "help") {
      std::printf("%s", commands);
    } else if (word == "board") {
      std::printf("%s", table_.draw().c_str());
    } else if (word == "moves") {
      std::printf("%s\n", join(table_.moves(), std::string::npos).c_str());
    } else if (word == "hint") {
      hint();
    } else if (word == "undo") {
      take_back();
    } else if (auto const fault = table_.play(word)) {
      std::printf("%s. Try again, or type help.\n", fault->c_str());
    } else {
      std::printf("%s", table_.draw().c_str());
    }
  }

  void hint() {
    analysis const found = table_.think();
    std::printf("%s (value %+.2f for you; line %s)\n", found.move.c_str(), found.value,
                join(found.principal_variation, 6).c_str());
  }

  void take_back() {
    if (table_.plies() < 2) {
      std::printf("There is no move of yours to take back.\n");
      return;
    }
    table_.undo(2);
    std::printf("%s", table_.draw().c_str());
  }

  table& table_;
  bool person_first_;
};

}  // namespace

int main(int argc, char** argv) {
  std::string colour = "first";
  CLI::App app{"Play against a network in the terminal.", "play"};
  table_flags flags(app, 400);
  app.add_option("--colour", colour, "Whether you move first or second")
      ->check(CLI::IsMember({"first", "second"}))
      ->capture_default_str();
  if (auto const status = common::parse(app, argc, argv)) return *status;
  return common::guarded("play", [&] {
    std::unique_ptr<table> const at = flags.make_table();
    std::printf("%s against %s, %d simulations a move.\n", flags.game.c_str(), at->evaluator().c_str(),
                flags.search().simulations);
    match_of_two(*at, colour == "first").play();
    common::finish_output();
    return 0;
  });
}
