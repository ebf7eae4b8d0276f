#pragma once

#include <selfplay/report.hpp>

#include <cstdio>
#include <stop_token>

/// Plays a job of game G, telling people about it. Throws `common::usage_error` and the library's errors.
///
/// `play.cpp.in` instantiates it for every game.
template <batchmate::game G>
run_result play(job const& wanted, std::FILE* text, std::stop_token stop);
