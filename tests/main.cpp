// The main of every test program. A program in which no test runs is a failure, or, if all of them are marked
// to be skipped (no device, say), reported as skipped by exit status 77.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <iostream>

namespace {

int cases_run = 0;
int cases_skipped = 0;

struct counter : doctest::IReporter {
  explicit counter(doctest::ContextOptions const&) {}
  void report_query(doctest::QueryData const&) override {}
  void test_run_start() override {}
  void test_run_end(doctest::TestRunStats const&) override {}
  void test_case_start(doctest::TestCaseData const&) override { ++cases_run; }
  void test_case_reenter(doctest::TestCaseData const&) override {}
  void test_case_end(doctest::CurrentTestCaseStats const&) override {}
  void test_case_exception(doctest::TestCaseException const&) override {}
  void subcase_start(doctest::SubcaseSignature const&) override {}
  void subcase_end() override {}
  void log_assert(doctest::AssertData const&) override {}
  void log_message(doctest::MessageData const&) override {}
  void test_case_skipped(doctest::TestCaseData const& skipped) override {
    if (!skipped.m_skip) return;
    ++cases_skipped;
    std::cout << "skipped: " << skipped.m_name << '\n';
  }
};

}  // namespace

REGISTER_LISTENER("counter", 1, counter);

int main(int argc, char** argv) {
  doctest::Context context(argc, argv);
  int const status = context.run();
  if (context.shouldExit() || status != 0 || cases_run > 0) return status;
  if (cases_skipped > 0) return 77;
  std::cerr << "no test was run\n";
  return 1;
}
