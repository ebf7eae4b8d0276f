#include <batchmate/cuda/lane.hpp>

#include "device.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

namespace bm = batchmate;
using namespace bm::cuda;

namespace {

using position = random_position<3, 7, 7, 50, 1>;

resident_network resident(std::vector<int> const& rows) {
  device_info const where = devices().at(0);
  packed_network packed(bm::random_network(extents_for<position>(2, 32), 1), precision::fp16);
  auto const handle = make_cudnn_handle();
  return {where, packed, choose_plan(plan_target(handle.get()), packed.shape(), rows), {}};
}

}  // namespace

TEST_CASE("graphs give the same bits as plain launches, in every bucket" * doctest::skip(no_device())) {
  std::vector<int> const buckets{1, 8, 32, 100};
  auto net = resident(buckets);
  lane graphs(net, bm::layout_of<position>(), buckets, true),
      plain(net, bm::layout_of<position>(), buckets, false);
  auto const times = allocate_pinned(2 * sizeof(receipt));
  auto* const receipts = reinterpret_cast<receipt*>(times.get());
  for (int const count : {1, 5, 8, 31, 99, 100}) {
    filled_batch<position> one(numbered_positions<position>(count)), other(one.positions);
    graphs.enqueue(one.view().raw(), 0, count, receipts);
    plain.enqueue(other.view().raw(), 0, count, receipts + 1);
    graphs.drain();
    plain.drain();
    CHECK(std::memcmp(one.values.data(), other.values.data(), one.values.size() * sizeof(float)) == 0);
    CHECK(std::memcmp(one.priors.data(), other.priors.data(), one.priors.size() * sizeof(float)) == 0);
    for (receipt const* r : {receipts, receipts + 1}) {
      CHECK(r->upload_begin <= r->compute_begin);
      CHECK(r->compute_begin < r->compute_end);
      CHECK(r->compute_end <= r->download_end);
      CHECK(r->fault == receipt::no_fault);
    }
  }
  CHECK(graphs.max_rows() == 100);
  CHECK(graphs.bytes() > 100u * 49 * 32 * 2 * 3);
}
