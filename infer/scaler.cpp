#include "infer/scaler.h"

#include <algorithm>
#include <array>

#include "autograd/functions.h"
#include "autograd/node.h"
#include "tensor/allocator.h"
#include "tensor/view.h"

namespace mini::infer {
namespace {

using models::Rescaling;

std::int64_t ceil_divide(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// x [1,3,H,W] with its last pixels repeated up to sides that are multiples of `scale`.
Tensor padded(const Tensor& x, std::int64_t scale) {
  const auto missing = [&](int dim) {
    return ceil_divide(x.size(dim), scale) * scale - x.size(dim);
  };
  const Padding2d padding{.right = missing(3), .bottom = missing(2)};
  if (padding.right + padding.bottom == 0) return x;
  return pad2d(x, padding, PadMode::replicate);
}

class BicubicScaler : public Scaler {
 public:
  explicit BicubicScaler(std::int64_t scale) : scale_(scale) {
    check(scale >= 1, "bicubic: scale must be at least 1, got ", scale);
  }
  std::string name() const override { return "bicubic"; }
  std::int64_t scale() const override { return scale_; }

 protected:
  Tensor down(const Tensor& image) const override {
    const Tensor hr = padded(io::to_float(image), scale_);
    return io::to_image(resize_bicubic(hr, 1.0 / static_cast<double>(scale_)));
  }
  Tensor up(const Tensor& image, int /*quality*/) const override {
    return io::to_image(resize_bicubic(io::to_float(image), static_cast<double>(scale_)));
  }

 private:
  std::int64_t scale_;
};

// Puts strips of a result into an image, one below the other.
class ImageBuilder {
 public:
  ImageBuilder(std::int64_t height, std::int64_t width)
      : image_(Tensor::empty({height, width, 3}, DType::uint8)) {}

  // [1,3,R,W] in [0,1]; an undefined tensor has no rows.
  void append(const Tensor& rows) {
    if (!rows.defined()) return;
    ops::copy(io::to_image(ops::to_device(rows, {})), ops::narrow(image_, 0, done_, rows.size(2)));
    done_ += rows.size(2);
  }
  const Tensor& image() const { return image_; }

 private:
  Tensor image_;
  std::int64_t done_ = 0;
};

class NetworkScaler : public Scaler {
 public:
  NetworkScaler(const models::Rescaler& network, std::optional<std::uint64_t> latent_seed,
                const MemoryLimit& limit)
      : network_(network),
        limit_(limit),
        dtype_(network.parameters().front().dtype()),
        device_(network.parameters().front().device()) {
    if (latent_seed) latent_ = Generator{*latent_seed, 0};
  }
  std::string name() const override { return network_.name(); }
  std::int64_t scale() const override { return network_.scale(); }

 protected:
  Tensor down(const Tensor& image) const override {
    const std::int64_t s = scale();
    const std::int64_t height = ceil_divide(image.size(0), s),
                       width = ceil_divide(image.size(1), s);
    return scaled(image, Rescaling::downscale, {1, 3, s * height, s * width}, s, {height, width},
                  models::lossless);
  }

  Tensor up(const Tensor& image, int quality) const override {
    const std::int64_t s = scale(), height = image.size(0), width = image.size(1);
    return scaled(image, Rescaling::upscale, {1, 3, height, width}, 1, {s * height, s * width},
                  quality);
  }

 private:
  // `input`: the shape of what goes into the network, whose sides are multiples of `unit`.
  Tensor scaled(const Tensor& image, Rescaling way, const Shape& input, std::int64_t unit,
                std::array<std::int64_t, 2> size, int quality) const {
    Generator whole = latent_.value_or(Generator());
    Generator* const generator = latent_ ? &whole : nullptr;
    const auto stream = network_.stream(way, input, dtype_, generator, quality);
    if (stream == nullptr) {
      const Tensor x = pixels(image, 0, image.size(0), unit);
      const Tensor y = way == Rescaling::upscale ? network_.upscale(x, generator, quality)
                                                 : network_.downscale(x);
      return io::to_image(ops::to_device(y, {}));
    }
    ImageBuilder result(size[0], size[1]);
    const std::int64_t rows = rows_in_a_strip(image, way, input, unit);
    for (std::int64_t y = 0; y < image.size(0); y += rows)
      result.append(stream->push(pixels(image, y, std::min(rows, image.size(0) - y), unit)));
    return result.image();
  }

  Tensor pixels(const Tensor& image, std::int64_t first, std::int64_t count,
                std::int64_t unit) const {
    const Tensor strip = io::to_float(ops::narrow(image, 0, first, count));
    return padded(ops::to_device(ops::cast(strip, dtype_), device_), unit);
  }

  // As many rows as the limit allows beside all that is in memory now. Throws where these are so few
  // that the rows around a strip would be most of the work.
  std::int64_t rows_in_a_strip(const Tensor& image, Rescaling way, const Shape& input,
                               std::int64_t unit) const {
    const std::size_t taken = limit_.outside + allocator(device_).stats().live;
    // An eighth of a block from the allocator's cache may be unused.
    const std::size_t left = limit_.bytes > taken ? (limit_.bytes - taken) / 8 * 7 : 0;
    const std::int64_t least = std::min(input[2], least_rows * unit);
    const std::int64_t rows = models::strip_rows(network_, way, input, dtype_, unit, left);
    const std::size_t storing = taken + codec_images * image_bytes(way, input);
    if (rows >= least && storing <= limit_.bytes) return rows;
    const std::size_t running =
        taken + models::strip_memory(network_, way, input, dtype_, least) / 7 * 8;
    constexpr std::size_t million = 1'000'000;
    fail(way == Rescaling::upscale ? "upscale" : "downscale", ": an image of ", image.size(1), "x",
         image.size(0), " does not fit in a memory limit of ", limit_.bytes / million, "M; ",
         std::max(running, storing) / million + 1, "M is the least that will do");
  }

  // The bytes of the larger image in 8 bits.
  std::size_t image_bytes(Rescaling way, const Shape& input) const {
    const std::int64_t factor = way == Rescaling::upscale ? scale() : 1;
    return static_cast<std::size_t>(3 * factor * factor * input[2] * input[3]);
  }

  // Besides the image itself, reading or writing a file takes up to this many times its bytes: PNG needs
  // the lines before compression and the file, WebP its plans for the blocks.
  static constexpr std::size_t codec_images = 3;
  static constexpr std::int64_t least_rows = 8;

  const models::Rescaler& network_;
  std::optional<Generator> latent_;  // what draws it
  MemoryLimit limit_;
  DType dtype_;
  Device device_;
};

}  // namespace

Tensor Scaler::downscale(const Tensor& image) const {
  io::check_image(image, "downscale");
  const NoGrad no_grad;
  return down(image);
}

Tensor Scaler::upscale(const Tensor& image, int quality) const {
  io::check_image(image, "upscale");
  const NoGrad no_grad;
  return up(image, quality);
}

std::unique_ptr<Scaler> bicubic_scaler(std::int64_t scale) {
  return std::make_unique<BicubicScaler>(scale);
}

std::unique_ptr<Scaler> network_scaler(const models::Rescaler& network,
                                       std::optional<std::uint64_t> latent_seed,
                                       const MemoryLimit& limit) {
  return std::make_unique<NetworkScaler>(network, latent_seed, limit);
}

Stored decode_stored(std::span<const std::byte> file) {
  io::Metadata metadata;
  Tensor image = io::decode(file, {.max_pixels = io::any_size, .metadata = &metadata});
  return {std::move(image), metadata.quality.value_or(models::lossless)};
}

RoundTrip round_trip(const Scaler& scaler, const Tensor& image, io::ImageFormat format,
                     int quality) {
  RoundTrip result;
  result.lr = scaler.downscale(image);
  result.file = io::encode(result.lr, format, quality);
  const auto [decoded, shown] = decode_stored(result.file);
  result.decoded = decoded;
  const Tensor hr = scaler.upscale(decoded, shown);
  result.hr =
      ops::contiguous(ops::narrow(ops::narrow(hr, 0, 0, image.size(0)), 1, 0, image.size(1)));
  return result;
}

}  // namespace mini::infer
