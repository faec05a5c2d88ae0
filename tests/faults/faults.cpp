// Preloaded into a program under test (LD_PRELOAD): lets one of its calls that change files fail, or ends
// the process there. Only files below the folder MINI_FAULT_FOLDER count. MINI_FAULT is
//   kill:N    the Nth call writes half of what it should, if it writes, and the process is killed
//   eio:N     the Nth call fails with EIO
//   enospc:N  the Nth call and all after it fail with ENOSPC, as on a full disk
//   short:N   the Nth call writes half of what it should and says so, if it writes more than a byte
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

struct Plan {
  char kind[16] = "";
  long at = 0;
  const char* folder = nullptr;
  Plan() {
    const char* const fault = std::getenv("MINI_FAULT");
    folder = std::getenv("MINI_FAULT_FOLDER");
    if (fault == nullptr || folder == nullptr || std::sscanf(fault, "%15[a-z]:%ld", kind, &at) != 2)
      at = 0;
  }
};

const Plan& plan() {
  static const Plan plan;
  return plan;
}

std::atomic<long> calls = 0;

enum class Fault { none, kill, fail, halve };

// What happens to a call that concerns `path`; sets errno where it fails.
Fault next_fault(const char* path) {
  const Plan& p = plan();
  if (p.at == 0 || std::strncmp(path, p.folder, std::strlen(p.folder)) != 0) return Fault::none;
  const long call = ++calls;
  const auto is = [&](const char* kind) { return std::strcmp(p.kind, kind) == 0; };
  if (is("enospc") && call >= p.at) {
    errno = ENOSPC;
    return Fault::fail;
  }
  if (call != p.at) return Fault::none;
  if (is("kill")) return Fault::kill;
  if (is("short")) return Fault::halve;
  errno = EIO;
  return is("eio") ? Fault::fail : Fault::none;
}

Fault next_fault(int descriptor) {
  char link[64], path[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = ::readlink(link, path, sizeof path - 1);
  if (length < 0) return Fault::none;
  path[length] = '\0';
  return next_fault(path);
}

template <class F>
F next(const char* name, F /*like*/) {
  return reinterpret_cast<F>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

ssize_t write(int descriptor, const void* bytes, std::size_t count) {
  static const auto real = next("write", &write);
  switch (next_fault(descriptor)) {
    case Fault::none:
      break;
    case Fault::kill:
      real(descriptor, bytes, count / 2);
      std::raise(SIGKILL);
      break;
    case Fault::fail:
      return -1;
    case Fault::halve:
      return real(descriptor, bytes, count > 1 ? count / 2 : count);
  }
  return real(descriptor, bytes, count);
}

ssize_t writev(int descriptor, const iovec* parts, int count) {
  static const auto real = next("writev", &writev);
  const Fault fault = next_fault(descriptor);
  if (fault == Fault::kill) std::raise(SIGKILL);
  return fault == Fault::fail ? -1 : real(descriptor, parts, count);
}

int fsync(int descriptor) {
  static const auto real = next("fsync", &fsync);
  const Fault fault = next_fault(descriptor);
  if (fault == Fault::kill) std::raise(SIGKILL);
  return fault == Fault::fail ? -1 : real(descriptor);
}

int rename(const char* from, const char* to) noexcept {
  static const auto real = next("rename", &rename);
  const Fault fault = next_fault(to);
  if (fault == Fault::kill) std::raise(SIGKILL);
  return fault == Fault::fail ? -1 : real(from, to);
}

int linkat(int from_folder, const char* from, int to_folder, const char* to, int flags) noexcept {
  static const auto real = next("linkat", &linkat);
  const Fault fault = next_fault(to);
  if (fault == Fault::kill) std::raise(SIGKILL);
  return fault == Fault::fail ? -1 : real(from_folder, from, to_folder, to, flags);
}

}  // extern "C"
