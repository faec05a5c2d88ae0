// A file's bytes, read from front to back by the image readers. Reading beyond the end throws an Error.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/error.h"

namespace mini::io {

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::size_t place() const { return place_; }
  std::size_t left() const { return bytes_.size() - place_; }
  std::span<const std::byte> rest() const { return bytes_.subspan(place_); }

  void seek(std::size_t place) {
    check(place <= bytes_.size(), "the file is truncated: it has ", bytes_.size(),
          " bytes, and more is said to be at byte ", place);
    place_ = place;
  }
  std::span<const std::byte> take(std::size_t count) {
    check(count <= left(), "the file is truncated: it ends at byte ", bytes_.size(), ", ",
          count - left(), " bytes too early");
    place_ += count;
    return bytes_.subspan(place_ - count, count);
  }
  void skip(std::size_t count) { take(count); }

  std::uint8_t byte() { return std::to_integer<std::uint8_t>(take(1)[0]); }
  template <std::unsigned_integral T>
  T little() {
    const auto bytes = take(sizeof(T));
    T value = 0;
    for (std::size_t i = sizeof(T); i-- > 0;)
      value = static_cast<T>(value << 8 | to_integer(bytes[i]));
    return value;
  }
  template <std::unsigned_integral T>
  T big() {
    T value = 0;
    for (const std::byte byte : take(sizeof(T)))
      value = static_cast<T>(value << 8 | to_integer(byte));
    return value;
  }

 private:
  static std::uint32_t to_integer(std::byte byte) { return std::to_integer<std::uint32_t>(byte); }

  std::span<const std::byte> bytes_;
  std::size_t place_ = 0;
};

}  // namespace mini::io
