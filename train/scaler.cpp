#include "train/scaler.h"

#include "autograd/functions.h"
#include "autograd/node.h"
#include "tensor/view.h"

namespace mini::train {
namespace {

class BicubicScaler : public Scaler {
 public:
  explicit BicubicScaler(std::int64_t scale) : scale_(scale) {
    check(scale >= 1, "bicubic: scale must be at least 1, got ", scale);
  }
  std::string name() const override { return "bicubic"; }
  std::int64_t scale() const override { return scale_; }

 protected:
  Tensor down(const Tensor& hr) const override {
    return resize_bicubic(hr, 1.0 / static_cast<double>(scale_));
  }
  Tensor up(const Tensor& lr) const override {
    return resize_bicubic(lr, static_cast<double>(scale_));
  }

 private:
  std::int64_t scale_;
};

class NetworkScaler : public Scaler {
 public:
  NetworkScaler(const models::Rescaler& network, std::optional<std::uint64_t> latent_seed)
      : network_(network),
        latent_seed_(latent_seed),
        dtype_(network.parameters().front().dtype()) {}
  std::string name() const override { return network_.name(); }
  std::int64_t scale() const override { return network_.scale(); }

 protected:
  Tensor down(const Tensor& hr) const override { return network_.downscale(ops::cast(hr, dtype_)); }
  Tensor up(const Tensor& lr) const override {
    if (!latent_seed_) return network_.upscale(ops::cast(lr, dtype_));
    Generator generator{*latent_seed_, 0};
    return network_.upscale(ops::cast(lr, dtype_), &generator);
  }

 private:
  const models::Rescaler& network_;
  std::optional<std::uint64_t> latent_seed_;
  DType dtype_;
};

}  // namespace

Tensor Scaler::downscale(const Tensor& image) const {
  io::check_image(image, "downscale");
  const NoGrad no_grad;
  const auto missing = [&](int dim) { return (scale() - image.size(dim) % scale()) % scale(); };
  Tensor hr = io::to_float(image);
  if (missing(0) + missing(1) > 0)
    hr = pad2d(hr, {.right = missing(1), .bottom = missing(0)}, PadMode::replicate);
  return io::to_image(down(hr));
}

Tensor Scaler::upscale(const Tensor& image) const {
  io::check_image(image, "upscale");
  const NoGrad no_grad;
  return io::to_image(up(io::to_float(image)));
}

std::unique_ptr<Scaler> bicubic_scaler(std::int64_t scale) {
  return std::make_unique<BicubicScaler>(scale);
}

std::unique_ptr<Scaler> network_scaler(const models::Rescaler& network,
                                       std::optional<std::uint64_t> latent_seed) {
  return std::make_unique<NetworkScaler>(network, latent_seed);
}

RoundTrip round_trip(const Scaler& scaler, const Tensor& image, io::ImageFormat format,
                     int quality) {
  RoundTrip result;
  result.lr = scaler.downscale(image);
  result.file = io::encode(result.lr, format, quality);
  result.decoded = io::decode(result.file);
  const Tensor hr = scaler.upscale(result.decoded);
  result.hr =
      ops::contiguous(ops::narrow(ops::narrow(hr, 0, 0, image.size(0)), 1, 0, image.size(1)));
  return result;
}

}  // namespace mini::train
