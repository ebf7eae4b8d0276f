#pragma once

#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <istream>
#include <thread>

namespace common {

/// The whole processors of a container's share, from the text of its `cpu.max` (cgroup v2: quota and period in
/// microseconds, or `max`), at least 1; 0 if there is no limit or the text is something else.
inline int processors_of_quota(std::istream& cpu_max) {
  std::int64_t quota = 0, period = 0;
  if (!(cpu_max >> quota >> period) || quota <= 0 || period <= 0) return 0;
  return static_cast<int>(std::clamp<std::int64_t>(quota / period, 1, 1 << 16));
}

/// The processors that this program may use, at least 1: those it may run on, or fewer where a container has a share of them
/// only. More threads than that would wait for each other while they are kept from running.
inline int processors() {
  cpu_set_t allowed;
  bool const known = sched_getaffinity(0, sizeof allowed, &allowed) == 0;  // not with more than 1024
  int const there =
      known ? CPU_COUNT(&allowed) : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  std::ifstream cpu_max("/sys/fs/cgroup/cpu.max");
  int const share = processors_of_quota(cpu_max);
  return share > 0 ? std::min(there, share) : there;
}

}  // namespace common
