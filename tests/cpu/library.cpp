#include <batchmate/cpu/library.hpp>

#include <doctest/doctest.h>

#include <dlfcn.h>

#include <string>
#include <thread>

namespace bm = batchmate;

TEST_CASE("one thread works while single_threaded lives, and OpenMP is as before afterwards") {
  auto const max = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "omp_get_max_threads"));
  auto const set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
  bm::cpu::library_name();  // links oneDNN, whose runtime it is
  bool const found = max && set;
  REQUIRE(found);
  auto const check = [&] {
    set(3);
    {
      bm::cpu::single_threaded const alone;
      CHECK(max() == 1);
      {
        bm::cpu::single_threaded const again;
        CHECK(max() == 1);
      }
      CHECK(max() == 1);
    }
    CHECK(max() == 3);
  };
  check();
  std::thread(check).join();
}

TEST_CASE("automatic precision is one that this processor has") {
  auto const p = bm::cpu::effective_precision(bm::cpu::precision::automatic);
  CHECK((p == bm::cpu::precision::bf16) == bm::cpu::has_bf16());
  CHECK(bm::cpu::effective_precision(bm::cpu::precision::fp32) == bm::cpu::precision::fp32);
  if (bm::cpu::has_bf16())
    CHECK(bm::cpu::effective_precision(bm::cpu::precision::bf16) == bm::cpu::precision::bf16);
  else
    CHECK_THROWS_AS(bm::cpu::effective_precision(bm::cpu::precision::bf16), bm::contract_error);
  CHECK(bm::cpu::name_of(bm::cpu::precision::bf16) == "bf16");
}

TEST_CASE("bf16 counts as there exactly where the instruction set's name promises it") {
  std::string const isa = bm::cpu::isa_name();
  CHECK(bm::cpu::has_bf16() ==
        (isa == "avx512_core_bf16" || isa.starts_with("avx512_core_amx") || isa.starts_with("isa")));
  CHECK(bm::cpu::library_name().starts_with("onednn-"));
}

TEST_CASE("a failure inside oneDNN names the step that failed") {
  try {
    bm::cpu::attempt("the stem", [] { throw dnnl::error(dnnl_unimplemented, "no such thing"); });
    FAIL("nothing was thrown");
  } catch (bm::evaluation_error const& e) {
    std::string const said = e.what();
    CHECK(said.find("the stem") != std::string::npos);
    CHECK(said.find("no such thing") != std::string::npos);
  }
}
