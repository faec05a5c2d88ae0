// SRVGGNetCompact (X. Wang et al., Real-ESRGAN's small networks): convolutions with PReLU at the
// size of the input, then one step to the size of the result, to which they are a correction.
//
//   y = PixelShuffle(conv(… PReLU(conv(x)) …)) + nearest ×scale of x
#pragma once

#include <optional>
#include <vector>

#include "models/upscale/upscaler.h"
#include "nn/field.h"
#include "nn/sequential.h"

namespace mini::models {

struct CompactOptions {
  std::int64_t scale = 4;
  std::int64_t layers = 16, features = 64;  // the layers between the first and the last convolution
};

class CompactNet : public Upscaler {
 public:
  using Options = CompactOptions;
  static constexpr const char *network = "compact", *recipe = "upscaling";
  static std::vector<nn::Field> fields(Options& options);
  static std::optional<Options> recognise(const nn::StateDict& state);

  CompactNet(const Options& options, Generator& generator);

  std::string name() const override { return network; }
  Tensor operator()(const Tensor& lr) const override;
  void checkpoint_blocks(bool on) override { body_.checkpoint_layers(on); }

 private:
  nn::RowLayers rows(const Shape& lr, DType dtype) const override;

  nn::Sequential body_;
};

}  // namespace mini::models
