#include "infer/scaler.h"

#include <algorithm>
#include <array>

#include "autograd/node.h"
#include "infer/rows.h"
#include "tensor/allocator.h"
#include "tensor/view.h"

namespace mini::infer {
namespace {

using models::Rescaling;

std::int64_t ceil_divide(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

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
      const Tensor x = pixels(image, 0, input[2], unit);
      ImageBuilder whole_image(size[0], size[1], image.dtype());
      whole_image.append(way == Rescaling::upscale ? network_.upscale(x, generator, quality)
                                                   : network_.downscale(x));
      return whole_image.image();
    }
    const auto result_bytes =
        static_cast<std::size_t>(3 * size[0] * size[1]) * element_size(image.dtype());
    const std::int64_t rows = rows_in_a_strip(image, way, input, unit, result_bytes);
    ImageBuilder result(size[0], size[1], image.dtype());
    for (std::int64_t y = 0; y < input[2]; y += rows)
      result.append(stream->push(pixels(image, y, std::min(rows, input[2] - y), unit)));
    return result.image();
  }

  Tensor pixels(const Tensor& image, std::int64_t first, std::int64_t count,
                std::int64_t unit) const {
    return ops::to_device(ops::cast(rows_of(image, first, count, unit), dtype_), device_);
  }

  // As many rows as the limit allows beside the result and all that is in memory now. Throws where these
  // are so few that the rows around a strip would be most of the work.
  std::int64_t rows_in_a_strip(const Tensor& image, Rescaling way, const Shape& input,
                               std::int64_t unit, std::size_t result_bytes) const {
    const std::size_t taken = limit_.outside + allocator(device_).stats().live + result_bytes;
    // An eighth of a block from the allocator's cache may be unused.
    const std::size_t left = limit_.bytes > taken ? (limit_.bytes - taken) / 8 * 7 : 0;
    const std::int64_t least = std::min(input[2], least_rows * unit);
    const std::int64_t rows = models::strip_rows(network_, way, input, dtype_, unit, left);
    const std::size_t storing = taken + codec_images * image_bytes(image, way, input);
    if (rows >= least && storing <= limit_.bytes) return rows;
    const std::size_t running =
        taken + models::strip_memory(network_, way, input, dtype_, least) / 7 * 8;
    fail_memory(way == Rescaling::upscale ? "upscale" : "downscale", image, limit_,
                std::max(running, storing));
  }

  // The bytes of the larger image.
  std::size_t image_bytes(const Tensor& image, Rescaling way, const Shape& input) const {
    const std::int64_t factor = way == Rescaling::upscale ? scale() : 1;
    return static_cast<std::size_t>(3 * factor * factor * input[2] * input[3]) *
           element_size(image.dtype());
  }

  static constexpr std::int64_t least_rows = 8;

  const models::Rescaler& network_;
  std::optional<Generator> latent_;  // what draws it
  MemoryLimit limit_;
  DType dtype_;
  Device device_;
};

void check_scalable(const Tensor& image, const char* op) {
  if (image.dtype() != DType::float32 || image.rank() != 3) return io::check_image(image, op);
  check(image.size(2) == 3 && image.numel() > 0, op,
        ": an image of more than 8 bits is float32 [H,W,3] with pixels, got ", image.shape());
}

}  // namespace

void fail_memory(const char* op, const Tensor& image, const MemoryLimit& limit, std::size_t least) {
  constexpr std::size_t million = 1'000'000;
  fail(op, ": an image of ", image.size(1), "x", image.size(0),
       " does not fit in a memory limit of ", limit.bytes / million, "M; ", least / million + 1,
       "M is the least that will do");
}

Tensor Scaler::downscale(const Tensor& image) const {
  check_scalable(image, "downscale");
  const NoGrad no_grad;
  return down(image);
}

Tensor Scaler::upscale(const Tensor& image, int quality) const {
  check_scalable(image, "upscale");
  const NoGrad no_grad;
  return up(image, quality);
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
