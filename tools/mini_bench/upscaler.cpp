// mini_bench upscale and mini_bench upscale_step: ordinary upscalers.
#include <algorithm>

#include "autograd/engine.h"
#include "autograd/functions.h"
#include "io/safetensors.h"
#include "nn/optimizer.h"
#include "tensor/view.h"
#include "tools/mini_bench/commands.h"
#include "tools/mini_bench/repeat.h"
#include "train/fields.h"
#include "train/recipes/registry.h"

namespace mini::bench {
namespace {

struct Setting {
  std::shared_ptr<models::Rescaler> network;
  std::map<std::string, Tensor> images;  // "bench.hr", "bench.lr": of the file
};

Setting make_setting(const UpscalerOptions& options, Device device) {
  Generator generator{10, 0};
  models::NetworkConfig config(options.network);
  const std::vector<nn::Field> fields = config.fields();
  for (const std::string& assignment : options.set) train::set_field(fields, assignment, {});
  Setting setting{config.make(generator), {}};
  if (!options.from.empty()) {
    nn::StateDict weights = io::read_safetensors(options.from).tensors;
    for (const char* name : {"bench.hr", "bench.lr"})
      if (auto node = weights.extract(name); !node.empty())
        setting.images[name] = ops::to_device(node.mapped(), device);
    setting.network->load_state_dict(setting.network->translate(weights));
  }
  setting.network->to(device);
  return setting;
}

// From the file or, without one, random.
Tensor image_of(const Setting& setting, const std::string& name, std::int64_t batch,
                std::int64_t side, Device device) {
  if (const auto found = setting.images.find(name); found != setting.images.end())
    return found->second;
  Generator generator{11, 0};
  return ops::to_device(ops::uniform(generator, {batch, 3, side, side}), device);
}

}  // namespace

void run_upscale(const CommonOptions& common, const UpscalerOptions& options) {
  const Setting setting = make_setting(options, common.device);
  setting.network->set_requires_grad(false);
  const NoGrad guard;
  const Tensor lr = image_of(setting, "bench.lr", options.batch, options.size, common.device);
  Tensor hr;
  const auto work = [&] { hr = setting.network->upscale(lr); };
  if (!options.results.empty()) {
    work();
    io::write_safetensors(options.results, {{{"hr", ops::to_device(hr, Device{})}}, {}});
  }
  repeat("upscale", 0, common, {.on_request = options.on_request}, work);
}

void run_upscale_step(const CommonOptions& common, const UpscalerOptions& options) {
  const Setting setting = make_setting(options, common.device);
  const std::int64_t scale = setting.network->scale();
  const train::Batch batch{
      image_of(setting, "bench.hr", options.batch, scale * options.size, common.device),
      image_of(setting, "bench.lr", options.batch, options.size, common.device)};
  Generator noise{12, 0};
  const auto recipe = train::RecipeConfig(models::find_network(options.network).recipe)
                          .make(setting.network, noise);
  const auto adam = nn::make_optimizer(setting.network->named_parameters(), {});
  const auto losses = [&] {
    setting.network->zero_grad();
    const auto variant = recipe->variant(0, noise);
    const Tensor loss = recipe->losses(0, batch, variant, noise, {}).total;
    backward(loss);
    return loss;
  };
  if (!options.results.empty()) {
    io::TensorFile file;
    file.tensors["loss"] = Tensor::scalar(losses().item(), DType::float64);
    for (const auto& [name, tensor] : setting.network->named_parameters())
      if (tensor.grad().defined())
        file.tensors["grad." + name] = ops::to_device(tensor.grad(), Device{});
    io::write_safetensors(options.results, file);
  }
  repeat("training step", 0, common, {.on_request = options.on_request}, [&] {
    losses();
    adam->step(1e-4, 1);
  });
}

}  // namespace mini::bench
