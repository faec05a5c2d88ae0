// mini_bench step and mini_bench roundtrip.
#include <algorithm>

#include "autograd/engine.h"
#include "autograd/functions.h"
#include "io/safetensors.h"
#include "nn/optimizer.h"
#include "tensor/view.h"
#include "tools/mini_bench/commands.h"
#include "tools/mini_bench/networks.h"
#include "tools/mini_bench/repeat.h"
#include "train/fields.h"
#include "train/pass.h"
#include "train/recipes/registry.h"
#include "train/recipes/sain.h"

namespace mini::bench {
namespace {

// The network and its input.
struct Setting {
  std::shared_ptr<models::FlowRescaler> network;
  Tensor hr, lr_reference, z;
};

Setting make_setting_on_host(const NetworkOptions& options) {
  Generator generator{10, 0};
  const std::int64_t side = options.size, small = side / options.scale;
  if (options.from.empty()) {
    check(side % options.scale == 0, "size ", side, " is no multiple of scale ", options.scale);
    auto network = make_invertible(
        network_config(options.network, {options.scale, options.enhanced, options.vanilla}),
        generator);
    const Tensor hr = ops::uniform(generator, {options.batch, 3, side, side});
    return {std::move(network), hr, resize_bicubic(hr, 1.0 / static_cast<double>(options.scale)),
            ops::normal(generator,
                        {options.batch, 3 * (options.scale * options.scale - 1), small, small})};
  }
  std::map<std::string, Tensor> tensors = io::read_safetensors(options.from).tensors;
  const auto take = [&](const char* name) {
    auto node = tensors.extract(name);
    return node.empty() ? Tensor() : node.mapped();
  };
  Setting setting{nullptr, take("bench.hr"), take("bench.lr_reference"), take("bench.z")};
  check(setting.hr.defined(), options.from, ": holds no bench.hr");
  setting.network = make_invertible(models::recognise_network(tensors), generator);
  setting.network->load_state_dict(tensors);
  return setting;
}

Setting make_setting(const NetworkOptions& options, Device device) {
  Setting setting = make_setting_on_host(options);
  setting.network->to(device);
  for (Tensor* tensor : {&setting.hr, &setting.lr_reference, &setting.z})
    if (tensor->defined()) *tensor = ops::to_device(*tensor, device);
  return setting;
}

// Multiplications and additions of the 3x3 convolutions in one pass of the flow, in 1e9. The
// transform and everything elementwise is left out.
double gflop_of(const models::Flow& flow, std::int64_t scale, const Tensor& hr) {
  double weights = 0;
  for (const models::Flow::Level& level : flow.levels)
    for (const models::Coupling& layer : level.chain)
      for (const models::Subnet& subnet : layer.subnets)
        for (const Tensor& tensor : subnet.parameters)
          if (tensor.rank() == 4) weights += static_cast<double>(tensor.numel());
  const double pixels = static_cast<double>(hr.numel()) / 3 / static_cast<double>(scale * scale);
  return 2e-9 * weights * pixels;
}

// The losses by which the network's paper trains it.
std::unique_ptr<train::Recipe> make_recipe(const Setting& setting, const NetworkOptions& options) {
  train::RecipeConfig config(models::find_network(setting.network->name()).recipe);
  const std::vector<nn::Field> fields = config.fields();
  const auto set = [&](const std::string& key, std::int64_t value) {
    if (std::any_of(fields.begin(), fields.end(),
                    [&](const nn::Field& field) { return field.path == key; }))
      train::set_field(fields, concat_text(key, '=', value), {});
  };
  set("loss.lambda_forw", setting.network->scale() == 4 ? 16 : 4);
  set("codec.quality", options.quality);
  Generator unused{0, 0};
  return config.make(setting.network, unused);
}

}  // namespace

void run_step(const CommonOptions& common, const NetworkOptions& options) {
  const Setting setting = make_setting(options, common.device);
  const models::FlowRescaler& network = *setting.network;
  const std::unique_ptr<train::Recipe> recipe = make_recipe(setting, options);
  setting.network->set_memory(options.memory);
  const train::Batch batch{setting.hr, setting.lr_reference};
  if (!options.results.empty()) {
    // One step's losses and gradients for the given latent; no update.
    const auto* const sain = dynamic_cast<const train::SainRecipe*>(recipe.get());
    check(sain != nullptr, "--results: are of SAIN's training alone");
    check(setting.z.defined() && setting.lr_reference.defined(), options.from,
          ": holds no bench.z or no bench.lr_reference");
    const train::Losses losses = sain->losses(batch, setting.z, {options.quality});
    backward(losses.total);
    io::TensorFile file;
    for (const auto& term : losses.terms)
      file.tensors["loss." + term.name] = Tensor::scalar(term.value.item(), DType::float64);
    for (const auto& [name, tensor] : network.named_parameters())
      if (tensor.grad().defined())
        file.tensors["grad." + name] = ops::to_device(tensor.grad(), Device{});
    io::write_safetensors(options.results, file);
    setting.network->zero_grad();
  }
  const auto adam = nn::make_optimizer(network.named_parameters(), {.weight_decay = 1e-5});
  train::Pass pass(options.replay);
  Generator generator{10, 0};
  train::Work work{.parameters = network.parameters()};
  work.losses = [&](const train::Batch& images, Generator& random) {
    return recipe->losses(0, images, work.variant, random, {});
  };
  // Forward, and backward with two gradients for each product of forward, of the network both ways.
  const double gflop = 2 * 3 * gflop_of(network.flow(), network.scale(), setting.hr);
  const bool replayed = options.replay && common.device.is_cuda();
  const RepeatOptions repeated{.captured = replayed, .on_request = options.on_request};
  repeat("training step", gflop, common, repeated, [&] {
    // Gradients keep their memory, so that it counts as what is there between steps. Those of a
    // replayed pass always do.
    if (replayed) setting.network->zero_grad();
    for (const Tensor& parameter : work.parameters)
      if (parameter.grad().defined()) ops::fill(parameter.grad(), 0);
    work.variant = recipe->variant(0, generator);
    const train::PassResult result = pass.run(work, batch, generator);
    adam->step(2e-4, nn::clip_factor(result.gradient_norm, 10));
  });
}

void run_roundtrip(const CommonOptions& common, const NetworkOptions& options) {
  const Setting setting = make_setting(options, common.device);
  const NoGrad guard;
  Tensor lr, hr;
  const auto work = [&] {
    lr = setting.network->downscale(setting.hr);
    const Tensor decoded =
        io::codec_roundtrip(ops::to_device(lr, Device{}), io::ImageFormat::jpeg, options.quality);
    hr = setting.network->upscale(ops::to_device(decoded, common.device));
  };
  if (!options.results.empty()) {
    work();
    io::write_safetensors(
        options.results,
        {{{"lr", ops::to_device(lr, Device{})}, {"hr", ops::to_device(hr, Device{})}}, {}});
  }
  const models::Flow flow = setting.network->flow();  // the small image needs a part of it
  const std::int64_t scale = setting.network->scale();
  const double gflop =
      gflop_of(flow.to_lr(), scale, setting.hr) + gflop_of(flow, scale, setting.hr);
  repeat("round trip", gflop, common, {.on_request = options.on_request}, work);
}

}  // namespace mini::bench
