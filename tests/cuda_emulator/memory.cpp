// Memory and properties of the emulated device. Its memory is a range of addresses that can be
// accessed only while a stream runs. Host code that dereferences a device pointer is therefore
// stopped at once.
#include "memory.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <sys/mman.h>
#include <vector>

#include "cuda_runtime.h"

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(data, bytes) ((void)(data), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(data, bytes) ((void)(data), (void)(bytes))
#endif

namespace mini::emulator {
namespace {

constexpr std::size_t page = 4096, arena_bytes = std::size_t{64} << 30;
// Every wait unlocks and locks the memory; large pages make that cheap.
constexpr std::size_t large_page = 2 << 20;

// Environment variables set these for a program under test, so that its messages can be tested.
int from_environment(const char* name, int otherwise) {
  const char* const text = std::getenv(name);
  return text != nullptr ? std::atoi(text) : otherwise;
}

struct DeviceState {
  int count = from_environment("MINI_EMULATED_DEVICES", 1);
  int driver = from_environment("MINI_EMULATED_DRIVER", 13000);
  int major = from_environment("MINI_EMULATED_CAPABILITY", 9), minor = 0;
  std::size_t memory = static_cast<std::size_t>(from_environment("MINI_EMULATED_MEGABYTES", 16384))
                       << 20;

  std::byte* arena = nullptr;
  std::size_t top = 0;                          // bytes of the arena used so far
  std::map<std::byte*, std::size_t> live;       // in bytes requested
  std::multimap<std::size_t, std::byte*> free;  // whole pages
  std::map<std::byte*, std::size_t> pinned;     // host memory
  std::size_t allocated = 0;
  int unlocked = 0;
};

DeviceState& device() {
  static auto& state = *new DeviceState;
  return state;
}

thread_local cudaError_t last_error = cudaSuccess;
thread_local int current_device = 0;

cudaError_t record(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

cudaError_t usable() {
  if (device().driver == 0) return cudaErrorInsufficientDriver;
  if (device().count == 0) return cudaErrorNoDevice;
  return cudaSuccess;
}

std::size_t pages(std::size_t bytes) { return (bytes + page) / page * page; }  // with a gap behind

void protect(int rights) {
  const std::size_t used = (device().top + large_page - 1) / large_page * large_page;
  if (used > 0 && mprotect(device().arena, used, rights) != 0) std::abort();
}

bool is_in_arena(const void* data) {
  const auto* place = static_cast<const std::byte*>(data);
  return device().arena != nullptr && place >= device().arena &&
         place < device().arena + arena_bytes;
}

// Whether [data, data + bytes) is part of one allocation.
bool is_allocated(const void* data, std::size_t bytes) {
  const auto* place = static_cast<const std::byte*>(data);
  auto above = device().live.upper_bound(const_cast<std::byte*>(place));
  if (above == device().live.begin()) return false;
  const auto& [begin, size] = *--above;
  return place + bytes <= begin + size;
}

bool is_pinned(const void* data, std::size_t bytes) {
  const auto* place = static_cast<const std::byte*>(data);
  auto above = device().pinned.upper_bound(const_cast<std::byte*>(place));
  if (above == device().pinned.begin()) return false;
  const auto& [begin, size] = *--above;
  return place + bytes <= begin + size;
}

}  // namespace

void set_memory(std::size_t bytes) { device().memory = bytes; }
void set_devices(int count) { device().count = count; }
void set_driver(int version) { device().driver = version; }
void set_capability(int major, int minor) {
  device().major = major;
  device().minor = minor;
}

Unlocked::Unlocked() {
  if (device().unlocked++ == 0) protect(PROT_READ | PROT_WRITE);
}
Unlocked::~Unlocked() {
  if (--device().unlocked == 0) protect(PROT_NONE);
}

}  // namespace mini::emulator

using namespace mini::emulator;

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorInsufficientDriver:
      return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice:
      return "cudaErrorNoDevice";
    case cudaErrorInvalidDevice:
      return "cudaErrorInvalidDevice";
    case cudaErrorInvalidConfiguration:
      return "cudaErrorInvalidConfiguration";
    default:
      return "cudaError (emulated)";
  }
}
const char* cudaGetErrorString(cudaError_t error) { return cudaGetErrorName(error); }

cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 0;
  if (const cudaError_t error = usable(); error != cudaSuccess) return record(error);
  *count = device().count;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int index) {
  if (const cudaError_t error = usable(); error != cudaSuccess) return record(error);
  if (index < 0 || index >= device().count) return record(cudaErrorInvalidDevice);
  current_device = index;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* index) {
  *index = current_device;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int index) {
  if (index < 0 || index >= device().count) return record(cudaErrorInvalidDevice);
  *properties = {};
  std::snprintf(properties->name, sizeof properties->name, "emulated device %d", index);
  properties->totalGlobalMem = device().memory;
  properties->major = device().major;
  properties->minor = device().minor;
  properties->multiProcessorCount = 4;
  properties->l2CacheSize = 1 << 20;
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = device().driver;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** data, std::size_t bytes) {
  *data = nullptr;
  if (const cudaError_t error = usable(); error != cudaSuccess) return record(error);
  if (invalidates_strict_capture()) return record(cudaErrorStreamCaptureUnsupported);
  DeviceState& state = device();
  if (state.arena == nullptr) {
    void* const arena = mmap(nullptr, arena_bytes + large_page, PROT_NONE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (arena == MAP_FAILED) return record(cudaErrorMemoryAllocation);
    const auto address = reinterpret_cast<std::uintptr_t>(arena);
    state.arena = static_cast<std::byte*>(arena) + (large_page - address % large_page);
    madvise(state.arena, arena_bytes, MADV_HUGEPAGE);
  }
  if (state.allocated + bytes > state.memory) return record(cudaErrorMemoryAllocation);
  const std::size_t size = pages(bytes);
  std::byte* place = nullptr;
  if (const auto found = state.free.find(size); found != state.free.end()) {
    place = found->second;
    state.free.erase(found);
  } else {
    if (state.top + size > arena_bytes) return record(cudaErrorMemoryAllocation);
    place = state.arena + state.top;
    state.top += size;
  }
  state.live[place] = bytes;
  state.allocated += bytes;
  const Unlocked unlocked;
  protect(PROT_READ | PROT_WRITE);  // the arena may have grown
  ASAN_UNPOISON_MEMORY_REGION(place, bytes);
  std::memset(place, 0xff, bytes);
  ASAN_POISON_MEMORY_REGION(place + bytes, size - bytes);
  *data = place;
  return cudaSuccess;
}

cudaError_t cudaFree(void* data) {
  if (data == nullptr) return cudaSuccess;
  DeviceState& state = device();
  const auto found = state.live.find(static_cast<std::byte*>(data));
  if (found == state.live.end()) return record(cudaErrorInvalidValue);
  if (may_not_capture()) return record(cudaErrorStreamCaptureUnsupported);
  wait_for_device();
  const std::size_t size = pages(found->second);
  if (size >= large_page) madvise(data, size, MADV_DONTNEED);
  ASAN_POISON_MEMORY_REGION(data, size);
  state.allocated -= found->second;
  state.free.emplace(size, found->first);
  state.live.erase(found);
  return cudaSuccess;
}

cudaError_t cudaHostAlloc(void** data, std::size_t bytes, unsigned) {
  *data = nullptr;
  if (const cudaError_t error = usable(); error != cudaSuccess) return record(error);
  *data = std::aligned_alloc(page, (bytes + page - 1) / page * page);
  if (*data == nullptr) return record(cudaErrorMemoryAllocation);
  device().pinned[static_cast<std::byte*>(*data)] = bytes;
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* data) {
  if (data == nullptr) return cudaSuccess;
  wait_for_device();
  if (device().pinned.erase(static_cast<std::byte*>(data)) == 0)
    return record(cudaErrorInvalidValue);
  std::free(data);
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  *total = device().memory;
  *free = device().memory - std::min(device().memory, device().allocated);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind,
                            cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  const bool to_device = is_in_arena(to), from_device = is_in_arena(from);
  if ((to_device && !is_allocated(to, bytes)) || (from_device && !is_allocated(from, bytes)))
    return record(cudaErrorInvalidValue);
  // Bytes from pageable host memory are read at once; bytes to it have arrived on return.
  if (((!from_device && !is_pinned(from, bytes)) || (!to_device && !is_pinned(to, bytes))) &&
      is_capturing(stream))
    return record(may_not_capture() ? cudaErrorStreamCaptureUnsupported : cudaSuccess);
  if (!from_device && !is_pinned(from, bytes)) {
    const auto* const first = static_cast<const std::byte*>(from);
    const std::vector<std::byte> staged(first, first + bytes);
    return record(enqueue(stream, [to, staged] { std::memcpy(to, staged.data(), staged.size()); }));
  }
  const cudaError_t error =
      record(enqueue(stream, [to, from, bytes] { std::memcpy(to, from, bytes); }));
  if (error == cudaSuccess && !to_device && !is_pinned(to, bytes))
    return cudaStreamSynchronize(stream);
  return error;
}

cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  if (!is_allocated(to, bytes)) return record(cudaErrorInvalidValue);
  return record(enqueue(stream, [to, value, bytes] { std::memset(to, value, bytes); }));
}
