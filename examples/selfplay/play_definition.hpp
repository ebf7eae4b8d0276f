#pragma once

#include <selfplay/campaign.hpp>

#include <utility>

template <batchmate::game G>
run_result play(job const& wanted, std::FILE* text, std::stop_token stop) {
  return campaign<G>(wanted, text, std::move(stop)).play();
}
