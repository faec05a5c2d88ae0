#include "tensor/memory_profile.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <memory>
#include <string_view>

namespace mini {
namespace {

constexpr int max_depth = 32;

std::vector<void*> current_stack() {
  std::array<void*, max_depth> frames{};
  const int depth = backtrace(frames.data(), max_depth);
  std::vector<void*> stack(frames.begin(), frames.begin() + depth);
  return stack;
}

// "std::vector<T> mini::f<T>(mini::Tensor const&) const" -> "mini::f".
std::string name_of_function(std::string_view signature) {
  std::string name;
  int depth = 0;
  for (const char c : signature) {
    if (c == '<') ++depth;
    if (depth == 0) {
      if (c == '(') break;
      name += c;
      if (c == ' ') name.clear();  // what came before was the result's type
    }
    if (c == '>') --depth;
  }
  return name;
}

// Empty for an address without a symbol.
std::string function_at(void* return_address) {
  // The byte before the return address belongs to the call; the return address itself may already
  // belong to the next function.
  void* call = static_cast<std::byte*>(return_address) - 1;
  Dl_info info{};
  if (dladdr(call, &info) == 0 || info.dli_sname == nullptr) return "";
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(info.dli_sname, nullptr, nullptr, &status), std::free);
  return status == 0 ? name_of_function(text.get()) : "";
}

bool hands_memory_on(std::string_view name) {
  constexpr std::array<std::string_view, 4> prefixes{
      "Tensor::", "Storage::", "Allocator::", "MemoryProfile::"};
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

}  // namespace

MemoryProfile::MemoryProfile(Allocator& allocator) : allocator_(allocator) {
  current_stack();  // the first call of backtrace loads a library
  allocator.observe(this);
}

MemoryProfile::~MemoryProfile() { allocator_.observe(nullptr); }

void MemoryProfile::attached(std::size_t live) noexcept {
  const std::scoped_lock lock(mutex_);
  unknown_ = live;
}

void MemoryProfile::allocated(Block block, const Contents* contents) noexcept {
  const std::scoped_lock lock(mutex_);
  live_[block.data] = {.bytes = block.bytes,
                       .is_tensor = contents != nullptr,
                       .contents = contents != nullptr ? *contents : Contents{},
                       .stack = current_stack(),
                       .number = next_number_++};
}

void MemoryProfile::released(Block block) noexcept {
  const std::scoped_lock lock(mutex_);
  const auto found = live_.find(block.data);
  if (found == live_.end()) {
    unknown_ -= block.bytes;
    return;
  }
  if (found->second.number < number_at_peak_) freed_since_peak_.push_back(std::move(found->second));
  live_.erase(found);
}

void MemoryProfile::at_peak() noexcept {
  const std::scoped_lock lock(mutex_);
  freed_since_peak_.clear();
  number_at_peak_ = next_number_;
  unknown_at_peak_ = unknown_;
}

MemoryProfile::Peak MemoryProfile::peak() const {
  const std::scoped_lock lock(mutex_);
  Peak peak{.bytes = unknown_at_peak_, .unknown = unknown_at_peak_, .entries = freed_since_peak_};
  for (const auto& [data, entry] : live_)
    if (entry.number < number_at_peak_) peak.entries.push_back(entry);
  for (const Entry& entry : peak.entries) peak.bytes += entry.bytes;
  std::sort(peak.entries.begin(), peak.entries.end(), [](const Entry& a, const Entry& b) {
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.number < b.number;
  });
  return peak;
}

std::string origin(const std::vector<void*>& stack, int count) {
  std::string text;
  for (void* address : stack) {
    if (count == 0) break;
    const std::string name = function_at(address);
    if (!name.starts_with("mini::")) continue;
    const std::string_view inside = std::string_view(name).substr(6);
    if (inside.empty() || hands_memory_on(inside)) continue;
    text += (text.empty() ? "" : " < ") + std::string(inside);
    --count;
  }
  return text;
}

}  // namespace mini
