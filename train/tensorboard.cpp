// TensorBoard event files. See train/tensorboard.h.
#include "train/tensorboard.h"

#include <array>
#include <bit>
#include <chrono>
#include <cstring>
#include <unistd.h>

#include "tensor/error.h"

namespace mini::train {
namespace {

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78u : 0);
    table[byte] = crc;
  }
  return table;
}

std::uint32_t masked_crc(std::string_view text) {
  return std::rotr(crc32c(std::as_bytes(std::span(text.data(), text.size()))), 15) + 0xA282EAD8u;
}

template <class T>
std::string little_endian(T value) {
  static_assert(std::endian::native == std::endian::little);
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

// Protobuf's wire format: a key (field number and wire type), then the value.
std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}
std::string number_field(int field, std::uint64_t value) {
  return varint(static_cast<std::uint64_t>(field) << 3) + varint(value);
}
std::string double_field(int field, double value) {
  return varint(static_cast<std::uint64_t>(field) << 3 | 1) + little_endian(value);
}
std::string float_field(int field, float value) {
  return varint(static_cast<std::uint64_t>(field) << 3 | 5) + little_endian(value);
}
// Strings, bytes and messages alike.
std::string bytes_field(int field, std::string_view value) {
  return varint(static_cast<std::uint64_t>(field) << 3 | 2) + varint(value.size()) +
         std::string(value);
}

// Event.summary, holding one Summary.Value: a tag and its content.
std::string summary(std::string_view tag, const std::string& content) {
  return bytes_field(5, bytes_field(1, bytes_field(1, tag) + content));
}

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> data) {
  static constexpr auto table = make_crc_table();
  std::uint32_t crc = ~0u;
  for (const std::byte byte : data)
    crc = table[(crc ^ static_cast<std::uint32_t>(byte)) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

TensorBoard::TensorBoard(const std::filesystem::path& folder, std::int64_t first_step) {
  std::filesystem::create_directories(folder);
  // The time sorts the files; the process keeps two runs of one second apart.
  path_ = folder / concat_text("events.out.tfevents.", static_cast<long>(seconds_since_1970()),
                               ".mini.", getpid(), ".", first_step);
  file_.open(path_, std::ios::binary | std::ios::trunc);
  check(file_.good(), "tensorboard: cannot write ", path_.string());
  write_event(bytes_field(3, "brain.Event:2"), 0);              // Event.file_version
  write_event(bytes_field(7, number_field(1, 1)), first_step);  // Event.session_log: START
}

void TensorBoard::scalar(std::string_view tag, double value, std::int64_t step) {
  write_event(summary(tag, float_field(2, static_cast<float>(value))), step);
}

void TensorBoard::image(std::string_view tag, std::span<const std::byte> png, std::int64_t height,
                        std::int64_t width, std::int64_t step) {
  const std::string_view data(reinterpret_cast<const char*>(png.data()), png.size());
  write_event(summary(tag, bytes_field(4, number_field(1, static_cast<std::uint64_t>(height)) +
                                              number_field(2, static_cast<std::uint64_t>(width)) +
                                              number_field(3, 3) + bytes_field(4, data))),
              step);
}

void TensorBoard::write_event(std::string_view content, std::int64_t step) {
  const std::string event = double_field(1, seconds_since_1970()) +
                            number_field(2, static_cast<std::uint64_t>(step)) +
                            std::string(content);
  const std::string length = little_endian(static_cast<std::uint64_t>(event.size()));
  file_ << length << little_endian(masked_crc(length)) << event << little_endian(masked_crc(event))
        << std::flush;
  check(file_.good(), "tensorboard: cannot write ", path_.string(), " (disk full?)");
}

}  // namespace mini::train
