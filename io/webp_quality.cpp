// The quality of a lossy WebP, from the header of its VP8 frame (RFC 6386, 9.2 to 9.6 and 19.2). The header
// holds a quantiser from 0 to 127 for each of up to four kinds of blocks. libwebp chooses them around one
// that follows from the quality: with v = quality/100,
//   c = cbrt(v < 0.75 ? 2v/3 : 2v - 1)      quantiser = 127·(1 - c^k), k about 1
// so their mean leads back to the quality, some points off where the kinds differ much.
#include <algorithm>
#include <cmath>
#include <vector>

#include "io/byte_reader.h"
#include "io/codecs.h"

namespace mini::io {
namespace {

// Decodes the bits of a header, each as likely 0 as 1 (section 7.3).
class BoolReader {
 public:
  explicit BoolReader(ByteReader bytes) : bytes_(bytes), value_(bytes_.big<std::uint16_t>()) {}

  bool flag() {
    const std::uint32_t split = 1 + (((range_ - 1) * 128) >> 8);
    const bool bit = value_ >= split << 8;
    if (bit) value_ -= split << 8;
    range_ = bit ? range_ - split : split;
    for (; range_ < 128; range_ *= 2) {
      value_ *= 2;
      if (++shifted_ == 8) {
        shifted_ = 0;
        if (bytes_.left() > 0) value_ |= bytes_.byte();
      }
    }
    return bit;
  }
  int number(int bits) {
    int value = 0;
    for (int i = 0; i < bits; ++i) value = 2 * value + (flag() ? 1 : 0);
    return value;
  }
  int signed_number(int bits) {
    const int value = number(bits);
    return flag() ? -value : value;
  }

 private:
  ByteReader bytes_;
  std::uint32_t value_, range_ = 255;
  int shifted_ = 0;
};

// One for each kind of blocks.
std::vector<int> quantisers_of(BoolReader header) {
  header.number(2);  // colour space, clamping
  std::vector<int> kinds;
  bool absolute = false;
  if (header.flag()) {  // blocks are of several kinds
    const bool has_map = header.flag();
    if (header.flag()) {
      absolute = header.flag();
      for (int i = 0; i < 4; ++i) kinds.push_back(header.flag() ? header.signed_number(7) : 0);
      for (int i = 0; i < 4; ++i)
        if (header.flag()) header.signed_number(6);  // of the loop filter
    }
    for (int i = 0; i < 3; ++i)
      if (has_map && header.flag()) header.number(8);
  }
  header.number(1 + 6 + 3);  // the loop filter
  if (header.flag() && header.flag())
    for (int i = 0; i < 8; ++i)
      if (header.flag()) header.signed_number(6);
  header.number(2);  // partitions
  const int base = header.number(7);
  if (kinds.empty()) return {base};
  for (int& quantiser : kinds)
    quantiser = std::clamp(absolute ? quantiser : base + quantiser, 0, 127);
  return kinds;
}

}  // namespace

int webp_quality(std::span<const std::byte> frame) {
  ByteReader bytes(frame);
  bytes.skip(3 + 3 + 4);  // tag, start code, size
  double log_c = 0;
  const std::vector<int> quantisers = quantisers_of(BoolReader(bytes));
  for (const int quantiser : quantisers)
    log_c +=
        std::log(1 - std::min(quantiser, 126) / 127.0) / static_cast<double>(quantisers.size());
  const double cube = std::exp(3 * log_c);
  const double quality = cube < 0.5 ? 1.5 * cube : (cube + 1) / 2;
  return std::clamp(static_cast<int>(std::lround(100 * quality)), 1, 100);
}

}  // namespace mini::io
