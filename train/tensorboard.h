// Event files that TensorBoard shows: scalars and pictures.
//
// A file is a row of TFRecords: length (8 bytes), its checksum (4), data, its checksum (4), little
// endian; the checksum is CRC-32C, rotated and shifted ("masked") so that a checksum of data that
// holds checksums stays good. The data is an Event message in protobuf's wire format, written by
// hand below, with the field numbers of tensorflow's event.proto and summary.proto.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

namespace mini::train {

// CRC-32C (Castagnoli; RFC 3720, appendix B.4).
std::uint32_t crc32c(std::span<const std::byte> data);

class TensorBoard {
 public:
  // A new file in `folder`, which is made if need be. Events of earlier files with a step of
  // `first_step` or later are hidden: they belong to a run that was taken back to this step.
  TensorBoard(const std::filesystem::path& folder, std::int64_t first_step);

  // Each returns when the record is with the operating system.
  void scalar(std::string_view tag, double value, std::int64_t step);
  void image(std::string_view tag, std::span<const std::byte> png, std::int64_t height,
             std::int64_t width, std::int64_t step);

  const std::filesystem::path& path() const { return path_; }

 private:
  void write_event(std::string_view content, std::int64_t step);

  std::filesystem::path path_;
  std::ofstream file_;
};

}  // namespace mini::train
