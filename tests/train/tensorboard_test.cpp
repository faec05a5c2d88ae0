// Event files, decoded by a small reader that follows the formats of protobuf and TFRecord.
#include "train/tensorboard.h"

#include <bit>
#include <cstring>
#include <optional>

#include "io/file.h"
#include "tests/support/support.h"

namespace mini::train {
namespace {

std::uint32_t crc_of(std::string_view text) {
  return crc32c(std::as_bytes(std::span(text.data(), text.size())));
}

TEST(Crc32c, KnownValues) {  // RFC 3720, B.4
  EXPECT_EQ(crc_of("123456789"), 0xE3069283u);
  EXPECT_EQ(crc_of(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc_of(std::string(32, '\xFF')), 0x62A8AB43u);
  EXPECT_EQ(crc_of(""), 0u);
}

template <class T>
T take(std::string_view& bytes) {
  T value;
  EXPECT_GE(bytes.size(), sizeof(T));
  std::memcpy(&value, bytes.data(), sizeof(T));
  bytes.remove_prefix(sizeof(T));
  return value;
}

std::uint64_t take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = take<std::uint8_t>(bytes);
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
}

// One field of a message; its wire type says which member is used.
struct WireField {
  std::uint64_t number = 0, integer = 0;
  double real = 0;
  std::string bytes;
};

std::vector<WireField> parse_message(std::string_view bytes) {
  std::vector<WireField> fields;
  while (!bytes.empty()) {
    const std::uint64_t key = take_varint(bytes);
    WireField field{.number = key >> 3, .bytes = {}};
    switch (key & 7) {
      case 0:
        field.integer = take_varint(bytes);
        break;
      case 1:
        field.real = take<double>(bytes);
        break;
      case 2: {
        const std::uint64_t size = take_varint(bytes);
        field.bytes = bytes.substr(0, size);
        bytes.remove_prefix(size);
        break;
      }
      case 5:
        field.real = take<float>(bytes);
        break;
      default:
        ADD_FAILURE() << "wire type " << (key & 7);
        return fields;
    }
    fields.push_back(field);
  }
  return fields;
}

// The field with this number, which must occur exactly once.
WireField field_of(const std::string& message, std::uint64_t number) {
  std::optional<WireField> found;
  for (const WireField& field : parse_message(message))
    if (field.number == number) {
      EXPECT_FALSE(found.has_value()) << "field " << number << " twice";
      found = field;
    }
  EXPECT_TRUE(found.has_value()) << "no field " << number;
  return found.value_or(WireField{});
}

// Reads TFRecords and checks their checksums by TensorFlow's definition of the mask.
std::vector<std::string> read_events(const std::filesystem::path& path) {
  const auto masked = [](std::string_view text) {
    const std::uint32_t crc = crc_of(text);
    return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
  };
  const io::Bytes file = io::read_file(path);
  std::string_view rest = io::as_text(file);
  std::vector<std::string> events;
  while (!rest.empty()) {
    const std::string_view length_bytes = rest.substr(0, 8);
    const auto length = take<std::uint64_t>(rest);
    EXPECT_EQ(take<std::uint32_t>(rest), masked(length_bytes));
    const std::string event(rest.substr(0, length));
    rest.remove_prefix(length);
    EXPECT_EQ(take<std::uint32_t>(rest), masked(event));
    events.push_back(event);
  }
  return events;
}

TEST(TensorBoard, FileDecodesToWhatWasWritten) {
  test::TemporaryFolder folder;
  TensorBoard board(folder.path() / "events", 1000);
  board.scalar("loss/total", 0.375, 300);
  const std::string png = "not really a picture";
  board.image("validation/a", std::as_bytes(std::span(png)), 20, 300, 1ll << 40);

  EXPECT_TRUE(board.path().filename().string().starts_with("events.out.tfevents."));
  const auto events = read_events(board.path());
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(field_of(events[0], 3).bytes, "brain.Event:2");
  EXPECT_GT(field_of(events[0], 1).real, 1.6e9);  // seconds since 1970
  EXPECT_EQ(field_of(events[1], 2).integer, 1000u);
  EXPECT_EQ(field_of(field_of(events[1], 7).bytes, 1).integer, 1u);  // SessionLog.START

  EXPECT_EQ(field_of(events[2], 2).integer, 300u);
  const std::string scalar = field_of(field_of(events[2], 5).bytes, 1).bytes;
  EXPECT_EQ(field_of(scalar, 1).bytes, "loss/total");
  EXPECT_EQ(field_of(scalar, 2).real, 0.375);

  EXPECT_EQ(field_of(events[3], 2).integer, 1ull << 40);
  const std::string value = field_of(field_of(events[3], 5).bytes, 1).bytes;
  EXPECT_EQ(field_of(value, 1).bytes, "validation/a");
  const std::string image = field_of(value, 4).bytes;
  EXPECT_EQ(field_of(image, 1).integer, 20u);
  EXPECT_EQ(field_of(image, 2).integer, 300u);
  EXPECT_EQ(field_of(image, 3).integer, 3u);
  EXPECT_EQ(field_of(image, 4).bytes, png);
}

}  // namespace
}  // namespace mini::train
