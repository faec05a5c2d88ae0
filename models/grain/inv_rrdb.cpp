#include "models/grain/inv_rrdb.h"

#include <array>

#include "autograd/functions.h"
#include "models/grain/rrdb2.h"
#include "models/upscale/rrdb.h"
#include "nn/init.h"

namespace mini::models {
namespace {

constexpr std::int64_t scale = 64;
constexpr std::int64_t encoder_blocks = 10;
// RRDBs at the decoder's resolutions; at the two highest an RRDB2 each.
constexpr std::array<std::int64_t, 5> decoder_blocks{3, 3, 3, 2, 1};
constexpr double slope = 0.2;

// A convolution and LeakyReLU.
class ConvLayer : public nn::Sequential {
 public:
  ConvLayer(std::int64_t in, std::int64_t out, const Conv2dParams& params) {
    append<nn::Conv2d>(in, out, 3, params);
    append<nn::LeakyRelu>(slope);
  }
};

// Convolutions through these widths, with LeakyReLU in between.
void append_head(nn::Sequential& head, const std::vector<std::int64_t>& widths) {
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    if (i > 0) head.append<nn::LeakyRelu>(slope);
    head.append<nn::Conv2d>(widths[i], widths[i + 1], 3, nn::same_size(3));
  }
}

}  // namespace

InvRrdbEncoder::InvRrdbEncoder(const GrainOptions& options, Generator& generator)
    : first_(3, options.features, 3, nn::same_size(3)),
      trunk_conv_(options.features, options.features, 3, nn::same_size(3)) {
  options.validate();
  const std::int64_t features = options.features;
  for (std::int64_t side = scale; side > 1; side /= 2)
    body_.append<ConvLayer>(features, features, Conv2dParams{.stride = {2, 2}, .padding = {1, 1}});
  append_head(out_, {features, features, 3});
  for (nn::Module* part : std::initializer_list<nn::Module*>{&first_, &body_, &trunk_conv_, &out_})
    nn::initialise_as_pytorch(*part, generator);
  for (std::int64_t i = 0; i < encoder_blocks; ++i)
    trunk_.append<Rrdb>(features, options.growth, generator, "RDB");
  register_module("conv_first", first_);
  register_module("body", body_);
  register_module("RRDB_trunk", trunk_);
  register_module("trunk_conv", trunk_conv_);
  register_module("out", out_);
}

Tensor InvRrdbEncoder::operator()(const Tensor& hr) const {
  check(hr.rank() == 4 && hr.size(1) == 3 && hr.size(2) % scale == 0 && hr.size(3) % scale == 0,
        "inv_rrdb: needs images [N,3,H,W] with sides that are multiples of ", scale, ", got ",
        hr.shape(), "; crop or resize them");
  const Tensor x = body_(first_(hr));
  return out_(x + trunk_conv_(trunk_(x)));
}

InvRrdbDecoder::Level::Level(std::int64_t features)
    : conv(features, features, 3, nn::same_size(3)) {}

InvRrdbDecoder::InvRrdbDecoder(const GrainOptions& options, Generator& generator)
    : first_(3, options.features, 3, nn::same_size(3)) {
  options.validate();
  const std::int64_t features = options.features;
  nn::initialise_as_pytorch(first_, generator);
  register_module("conv_first", first_);
  for (std::size_t j = 0; j < GrainOptions::levels; ++j) {
    Level& level = *levels_.emplace_back(std::make_unique<Level>(features));
    if (j < decoder_blocks.size()) {
      for (std::int64_t i = 0; i < decoder_blocks[j]; ++i)
        level.trunk.append<Rrdb>(features, options.growth, generator, "RDB");
    } else {
      level.trunk.append<Rrdb2>(features, options.growth, generator);
    }
    nn::initialise_as_pytorch(level.conv, generator);
    const std::int64_t named = std::int64_t{16} << j;
    register_module(concat_text("RRDB_trunk", named), level.trunk);
    register_module(concat_text("trunk_conv", named), level.conv);
  }
  append_head(out_, {features, features, features / 2, 3});
  nn::initialise_as_pytorch(out_, generator);
  register_module("out", out_);
}

InvRrdbDecoder::Result InvRrdbDecoder::operator()(const Tensor& lr) const {
  check(lr.rank() == 4 && lr.size(1) == 3, "inv_rrdb: needs an image [N,3,H,W], got ", lr.shape());
  Result result;
  Tensor x = first_(lr);
  for (const auto& level : levels_) {
    if (!result.features.empty()) x = upsample_nearest(x, 2);
    x = x + level->conv(level->trunk(x));
    result.features.push_back(x);
  }
  result.image = out_(x);
  return result;
}

InvRrdb::InvRrdb(const GrainOptions& options, Generator& generator)
    : encoder(options, generator), decoder(options, generator) {
  register_module("enc", encoder);
  register_module("dec", decoder);
}

Tensor quantise_lr(const Tensor& lr, Generator* noise) {
  const Tensor in_unit = lr * 0.5 + 0.5;
  if (noise == nullptr) return quantise(in_unit) * 2.0 - 1.0;
  const Tensor draws = ops::uniform(*noise, lr.shape(), lr.dtype(), {}, lr.device());
  return clamp(in_unit + (draws - 0.5) * (1.0 / 255), 0, 1) * 2.0 - 1.0;
}

}  // namespace mini::models
