// CAR & EDSR (W. Sun, Z. Chen, "Learned image downscaling for upscaling using content adaptive
// resampler", IEEE TIP 2020): the kernel network makes LR (models/car/kernel_network.h), EDSR for
// images in [0,1] enlarges it, and both learn together.
//
// In a state dict the names of the authors' files kgn.pth and usn.pth stand below "kgn" and "usn".
#pragma once

#include <optional>
#include <vector>

#include "models/car/kernel_network.h"
#include "models/rescaler.h"
#include "models/upscale/edsr.h"
#include "nn/field.h"

namespace mini::models {

struct CarOptions {
  std::int64_t scale = 2;                                // 2, 4
  std::int64_t kernel_features = 64, kernel_blocks = 5;  // of the kernel network
  std::int64_t blocks = 32, features = 256;              // of EDSR
  double residual_scale = 0.1;
};

class Car : public Rescaler {
 public:
  using Options = CarOptions;
  static constexpr const char *network = "car", *recipe = "car";
  static std::vector<nn::Field> fields(Options& options);
  static std::optional<Options> recognise(const nn::StateDict& state);
  static std::vector<std::string> untold(const nn::StateDict& state);

  Car(const Options& options, Generator& generator);

  std::string name() const override { return network; }
  std::int64_t scale() const override { return edsr_.scale(); }
  // Of any size: what the kernel network cannot take is continued by the image's last pixels, and
  // LR is cut accordingly.
  Tensor downscale(const Tensor& hr) const override;
  Tensor upscale(const Tensor& lr, Generator* generator = nullptr,
                 int quality = lossless) const override;
  void checkpoint_blocks(bool on) override;
  // EDSR's; the kernel network needs whole images.
  std::unique_ptr<RowStream> stream(Rescaling way, const Shape& input, DType dtype,
                                    const Generator* generator = nullptr,
                                    int quality = lossless) const override {
    return edsr_.stream(way, input, dtype, generator, quality);
  }

  const KernelNetwork& kernel_network() const { return kernel_network_; }

 private:
  KernelNetwork kernel_network_;
  Edsr edsr_;
};

}  // namespace mini::models
