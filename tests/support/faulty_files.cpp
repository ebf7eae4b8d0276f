/// Makes the system calls of a program on files go wrong. Loaded before the program (LD_PRELOAD), it numbers from 1 all
/// calls that open, change, lock or close what lies in a folder or is the folder, and lets chosen ones fail:
///
///     BATCHMATE_FAULTS=FOLDER:WHICH:ACTION
///
/// WHICH is a number, `7-9` or `7-` (from there on). ACTION is the name of an error, with which the call fails and
/// does nothing; `kill` or `kill-after`, which end the process as SIGKILL does before the call or right after it;
/// `short`, which lets a write take a part of its bytes; or `trace`. Each call that is meant by WHICH is said on
/// standard error: `faulty_files: 12 write /folder/journal`.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace {

/// What BATCHMATE_FAULTS says.
struct plan {
  std::string folder, action;
  int first = INT_MAX, last = 0;
  int error = 0;  // of the action, if it is one
};

int error_named(std::string_view name) {
  constexpr std::pair<std::string_view, int> known[] = {
      {"EACCES", EACCES}, {"EDQUOT", EDQUOT}, {"EINTR", EINTR}, {"EIO", EIO},      {"EMFILE", EMFILE},
      {"ENOENT", ENOENT}, {"ENOLCK", ENOLCK}, {"EROFS", EROFS}, {"ENOSPC", ENOSPC}};
  for (auto const& [error, number] : known)
    if (error == name) return number;
  return 0;
}

plan read_plan() {
  plan read;
  char const* const text = std::getenv("BATCHMATE_FAULTS");
  if (text == nullptr) return read;
  std::string const all = text;
  auto const second = all.rfind(':');
  auto const first = all.rfind(':', second - 1);
  std::string const which = all.substr(first + 1, second - first - 1);
  read.folder = all.substr(0, first);
  read.action = all.substr(second + 1);
  read.error = error_named(read.action);
  auto const dash = which.find('-');
  read.first = std::atoi(which.c_str());
  read.last = dash == std::string::npos  ? read.first
              : dash + 1 == which.size() ? INT_MAX
                                         : std::atoi(which.c_str() + dash + 1);
  bool const known = read.error != 0 || read.action == "kill" || read.action == "kill-after" ||
                     read.action == "short" || read.action == "trace";
  if (!known || read.first < 1) {
    std::fprintf(stderr, "faulty_files: cannot make out BATCHMATE_FAULTS=%s\n", text);
    std::_Exit(99);
  }
  return read;
}

plan const& planned() {
  static plan const once = read_plan();
  return once;
}

std::atomic<int> calls{0};

bool is_watched(std::string_view path) {
  std::string_view const folder = planned().folder;
  return !folder.empty() && path.starts_with(folder) &&
         (path.size() == folder.size() || path[folder.size()] == '/');
}

/// Where an open file lies, as far as the kernel knows; it says so also of a file that was removed.
std::string path_of(int file) {
  char target[PATH_MAX];
  ssize_t const size = ::readlink(("/proc/self/fd/" + std::to_string(file)).c_str(), target, sizeof target);
  return size > 0 ? std::string(target, static_cast<std::size_t>(size)) : std::string();
}

std::string path_at(int folder, char const* path) {
  if (path[0] == '/') return path;
  std::string const base = folder == AT_FDCWD ? std::string() : path_of(folder);
  if (!base.empty()) return base + '/' + path;
  char here[PATH_MAX];
  return ::getcwd(here, sizeof here) != nullptr ? std::string(here) + '/' + path : path;
}

void say(int number, char const* call, std::string const& path) {
  std::fprintf(stderr, "faulty_files: %d %s %s\n", number, call, path.c_str());
}

/// Does a call on a watched path, or lets it go wrong.
template <class Work>
auto perform(char const* call, std::string const& path, Work&& work) -> decltype(work()) {
  using result = decltype(work());
  int const number = is_watched(path) ? ++calls : 0;
  plan const& plan = planned();
  if (number < plan.first || number > plan.last) return work();
  if (plan.action == "short") return work();  // `write` looks after it
  say(number, call, path);
  if (plan.error != 0) {
    errno = plan.error;
    if constexpr (std::is_pointer_v<result>)
      return nullptr;
    else
      return -1;
  }
  if (plan.action == "kill") ::kill(::getpid(), SIGKILL);
  auto const done = work();
  if (plan.action == "kill-after") ::kill(::getpid(), SIGKILL);
  return done;
}

/// The function that this library stands before.
template <class Function>
Function* real(char const* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

bool takes_mode(int flags) { return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE; }

}  // namespace

extern "C" {

int open(char const* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  mode_t const mode = takes_mode(flags) ? va_arg(more, mode_t) : 0;
  va_end(more);
  static auto* const next = real<int(char const*, int, ...)>("open");
  return perform("open", path_at(AT_FDCWD, path), [&] { return next(path, flags, mode); });
}

int openat(int folder, char const* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  mode_t const mode = takes_mode(flags) ? va_arg(more, mode_t) : 0;
  va_end(more);
  static auto* const next = real<int(int, char const*, int, ...)>("openat");
  return perform("openat", path_at(folder, path), [&] { return next(folder, path, flags, mode); });
}

std::FILE* fopen(char const* path, char const* mode) {
  static auto* const next = real<std::FILE*(char const*, char const*)>("fopen");
  return perform("fopen", path_at(AT_FDCWD, path), [&] { return next(path, mode); });
}

ssize_t write(int file, void const* bytes, std::size_t count) {
  static auto* const next = real<ssize_t(int, void const*, std::size_t)>("write");
  return perform("write", path_of(file), [&] {
    bool const cut = planned().action == "short" && count > 1 && is_watched(path_of(file)) &&
                     calls >= planned().first && calls <= planned().last;
    if (cut) say(calls, "short write", path_of(file));
    return next(file, bytes, cut ? (count + 2) / 3 : count);
  });
}

int fsync(int file) {
  static auto* const next = real<int(int)>("fsync");
  return perform("fsync", path_of(file), [&] { return next(file); });
}

int ftruncate(int file, off_t size) noexcept {
  static auto* const next = real<int(int, off_t)>("ftruncate");
  return perform("ftruncate", path_of(file), [&] { return next(file, size); });
}

int flock(int file, int operation) noexcept {
  static auto* const next = real<int(int, int)>("flock");
  return perform("flock", path_of(file), [&] { return next(file, operation); });
}

int close(int file) {
  static auto* const next = real<int(int)>("close");
  return perform("close", path_of(file), [&] { return next(file); });
}

int rename(char const* from, char const* to) noexcept {
  static auto* const next = real<int(char const*, char const*)>("rename");
  return perform("rename", path_at(AT_FDCWD, from), [&] { return next(from, to); });
}

int unlink(char const* path) noexcept {
  static auto* const next = real<int(char const*)>("unlink");
  return perform("unlink", path_at(AT_FDCWD, path), [&] { return next(path); });
}

int unlinkat(int folder, char const* path, int flags) noexcept {
  static auto* const next = real<int(int, char const*, int)>("unlinkat");
  return perform("unlinkat", path_at(folder, path), [&] { return next(folder, path, flags); });
}

int remove(char const* path) noexcept {
  static auto* const next = real<int(char const*)>("remove");
  return perform("remove", path_at(AT_FDCWD, path), [&] { return next(path); });
}

int mkdir(char const* path, mode_t mode) noexcept {
  static auto* const next = real<int(char const*, mode_t)>("mkdir");
  return perform("mkdir", path_at(AT_FDCWD, path), [&] { return next(path, mode); });
}

}  // extern "C"
