// GIF: CompuServe's Graphics Interchange Format, 87a and 89a, of one frame. Where the frame does
// not cover the screen, the image is transparent, as in browsers.
#include <algorithm>
#include <optional>

#include "io/byte_reader.h"
#include "io/codecs.h"

namespace mini::io {
namespace {

constexpr std::uint8_t extension = 0x21, frame_start = 0x2c, trailer = 0x3b;
constexpr std::uint8_t graphic_control = 0xf9;

// The content of a chain of blocks: each is a length byte and that many bytes, and length 0 ends it.
std::vector<std::byte> read_chain(ByteReader& file) {
  std::vector<std::byte> all;
  while (const std::size_t length = file.byte()) {
    const auto block = file.take(length);
    all.insert(all.end(), block.begin(), block.end());
  }
  return all;
}

Palette read_palette(ByteReader& file, int flags) {
  Palette palette;
  if ((flags & 0x80) == 0) return palette;
  palette.colours.resize(std::size_t{2} << (flags & 7));
  for (Rgba& colour : palette.colours) {
    const auto r = file.byte(), g = file.byte(), b = file.byte();
    colour = {r, g, b, 255};
  }
  return palette;
}

// GIF's variant of Lempel-Ziv-Welch: codes grow from `root_bits` + 1 to 12 bits and stand for strings
// of colours, each the string of an older code and one more colour.
class Lzw {
 public:
  Lzw(std::span<const std::byte> data, int root_bits)
      : data_(data), root_bits_(root_bits), clear_(1 << root_bits), end_(clear_ + 1) {
    for (int code = 0; code < clear_; ++code) last_[code] = static_cast<std::uint8_t>(code);
    forget();
  }

  // Fills `out` and ignores any data beyond that.
  void decode(std::span<std::uint8_t> out) {
    std::size_t done = 0;
    int previous = none;
    while (done < out.size()) {
      const int code = next_code();
      if (code == end_) fail_truncated("its data ends after ", done, " of ", out.size(), " pixels");
      if (code == clear_) {
        forget();
        previous = none;
        continue;
      }
      // A code may be used one step before it is known: the previous string and its own first colour.
      if (code > next_ || (code == next_ && previous == none) ||
          (previous == none && code > clear_))
        fail_damaged("its data has a code that stands for nothing");
      const int known = code == next_ ? previous : code;
      const std::size_t length = length_of(known) + (code == next_ ? 1 : 0);
      std::uint8_t first = 0;
      std::size_t place = done + length_of(known);
      for (int c = known; c != none; c = prefix_[c]) {
        first = last_[c];
        if (--place < out.size()) out[place] = first;
      }
      if (code == next_ && done + length - 1 < out.size()) out[done + length - 1] = first;
      done += length;
      if (previous != none && next_ < most) add(previous, first);
      previous = code;
    }
  }

 private:
  static constexpr int most = 4096, none = -1;

  void forget() {
    next_ = end_ + 1;
    bits_ = root_bits_ + 1;
  }
  std::size_t length_of(int code) const { return length_[code]; }
  void add(int prefix, std::uint8_t last) {
    prefix_[next_] = prefix;
    last_[next_] = last;
    length_[next_] = static_cast<std::uint16_t>(length_[prefix] + 1);
    ++next_;
    if (next_ == 1 << bits_ && bits_ < 12) ++bits_;
  }
  int next_code() {
    while (held_ < bits_) {
      if (place_ == data_.size()) fail_truncated("its data ends before its pixels");
      held_bits_ |= std::to_integer<std::uint32_t>(data_[place_++]) << held_;
      held_ += 8;
    }
    const int code = static_cast<int>(held_bits_ & ((1U << bits_) - 1));
    held_bits_ >>= bits_;
    held_ -= bits_;
    return code;
  }
  template <class T>
  static std::array<T, most> filled(T value) {
    std::array<T, most> all;
    all.fill(value);
    return all;
  }

  std::span<const std::byte> data_;
  std::size_t place_ = 0;
  std::uint32_t held_bits_ = 0;
  int held_ = 0;
  int root_bits_, clear_, end_, next_ = 0, bits_ = 0;
  std::array<int, most> prefix_ = filled<int>(none);
  std::array<std::uint8_t, most> last_{};
  std::array<std::uint16_t, most> length_ = filled<std::uint16_t>(1);
};

struct Frame {
  std::int64_t left, top, width, height;
  bool interlaced;
  Palette palette;
  int root_bits;
  std::vector<std::byte> data;
};

Frame read_frame(ByteReader& file, const Palette& common) {
  Frame frame{};
  frame.left = file.little<std::uint16_t>();
  frame.top = file.little<std::uint16_t>();
  frame.width = file.little<std::uint16_t>();
  frame.height = file.little<std::uint16_t>();
  const int flags = file.byte();
  frame.interlaced = (flags & 0x40) != 0;
  frame.palette = read_palette(file, flags);
  if (frame.palette.colours.empty()) frame.palette = common;
  if (frame.palette.colours.empty()) fail_damaged("it has no palette");
  frame.root_bits = file.byte();
  if (frame.root_bits < 1 || frame.root_bits > 8)
    fail_damaged("its codes begin with ", frame.root_bits, " bits");
  frame.data = read_chain(file);
  return frame;
}

// The row numbers in the order in which the file stores them (interlaced or not).
std::vector<std::int64_t> row_order(const Frame& frame) {
  std::vector<std::int64_t> rows;
  const auto every = [&](int step, int first) {
    for (std::int64_t y = first; y < frame.height; y += step) rows.push_back(y);
  };
  if (frame.interlaced) {
    every(8, 0);
    every(8, 4);
    every(4, 2);
    every(2, 1);
  } else {
    every(1, 0);
  }
  return rows;
}

void draw(const Frame& frame, std::optional<std::uint8_t> transparent, const Tensor& canvas) {
  std::vector<std::uint8_t> row(static_cast<std::size_t>(frame.width * frame.height));
  Lzw(frame.data, frame.root_bits).decode(row);
  const std::uint8_t* in = row.data();
  for (const std::int64_t y : row_order(frame)) {
    std::uint8_t* out =
        canvas.data<std::uint8_t>() + 4 * ((frame.top + y) * canvas.size(1) + frame.left);
    for (std::int64_t x = 0; x < frame.width; ++x, out += 4, ++in)
      if (*in != transparent) std::copy_n(frame.palette.at(*in).data(), 4, out);
  }
}

struct Found {
  std::optional<Frame> frame;
  std::optional<std::uint8_t> transparent;
  bool ended = false;
};

// Reads all blocks up to the end mark. Behind the first frame it looks only for a second one, which is
// refused.
Found read_blocks(ByteReader& file, const Palette& common) {
  Found found;
  while (!found.ended) {
    const std::uint8_t kind = file.byte();
    if (kind == extension) {
      const bool control = file.byte() == graphic_control;
      const auto content = read_chain(file);
      if (control && content.size() >= 4 && !found.frame) {
        const auto flags = std::to_integer<int>(content[0]);
        if ((flags & 1) != 0) found.transparent = std::to_integer<std::uint8_t>(content[3]);
      }
    } else if (kind == frame_start) {
      check(!found.frame, "this GIF is an animation; mini reads still images");
      found.frame = read_frame(file, common);
    } else if (kind == trailer) {
      found.ended = true;
    } else if (found.frame && kind != 0) {
      return found;
    } else if (kind != 0) {  // some programs end a chain of blocks twice
      fail_damaged("it has an unknown block at byte ", file.place() - 1);
    }
    if (found.frame && file.left() == 0) return found;
  }
  return found;
}

}  // namespace

bool is_gif(std::span<const std::byte> bytes) {
  return as_text(bytes).starts_with("GIF87a") || as_text(bytes).starts_with("GIF89a");
}

Decoded decode_gif(std::span<const std::byte> bytes, const ReadOptions& options) {
  ByteReader file(bytes);
  file.skip(6);
  std::int64_t width = file.little<std::uint16_t>(), height = file.little<std::uint16_t>();
  const int flags = file.byte();
  file.skip(2);  // the background colour, which viewers ignore, and the pixels' aspect ratio
  const Palette common = read_palette(file, flags);
  const Found found = read_blocks(file, common);
  if (!found.frame) fail_truncated("it has no frame");
  const Frame& frame = *found.frame;
  if (frame.width == 0 || frame.height == 0) fail_damaged("its frame has no pixels");
  width = std::max(width, frame.left + frame.width);
  height = std::max(height, frame.top + frame.height);
  check_size(width, height, options, bytes_of_rgba);
  check_length(bytes.size(), width * height / 4096);  // no 12-bit code stands for more pixels
  const Tensor image = Tensor::zeros({height, width, 4}, DType::uint8);
  draw(frame, found.transparent, image);
  Decoded decoded{.pixels = image};
  if (!found.ended) decoded.notices.emplace_back("the end mark is missing; all pixels are there");
  return decoded;
}

}  // namespace mini::io
