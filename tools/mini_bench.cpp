// mini_bench: how fast the kernels and the whole network are on this machine, as a share of the
// peak of fused multiply-adds measured in the same run. tools/bench/compare_pytorch.py drives it to
// compare with PyTorch, tools/bench/memory.py to see what training keeps in memory.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "tensor/allocator.h"
#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/version.h"
#include "tools/mini_bench/commands.h"

using namespace mini::bench;

const std::map<std::string, mini::models::MemoryMode> memory_modes{
    {"exact", mini::models::MemoryMode::exact},
    {"reversible", mini::models::MemoryMode::reversible},
    {"checkpoint", mini::models::MemoryMode::checkpoint},
    {"stored", mini::models::MemoryMode::stored}};

const std::map<std::string, mini::ops::Products> precisions{
    {"float32", mini::ops::Products::full},
    {"tf32", mini::ops::Products::tf32},
    {"bfloat16", mini::ops::Products::bfloat16}};

int main(int argc, char** argv) try {
  CLI::App app{"Measures mini's speed."};
  app.require_subcommand(1);
  app.set_version_flag("--version", mini::version_text("mini_bench"));
  CommonOptions common;
  int threads = 0;
  app.add_option("--threads", threads, "threads to use (default: all)")->check(CLI::Range(1, 1024));
  app.add_option("--runs", common.runs, "measured runs; medians are reported")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--json", common.json, "write the report to this file as JSON; - for stdout");
  app.add_option_function<std::string>(
         "--device",
         [&common](const std::string& name) {
           common.device = mini::parse_device(name);
           mini::allocator(common.device);  // throws where there is no such device
         },
         "where to compute: cpu (the default), cuda, or cuda:N")
      ->type_name("DEVICE");
  app.add_option("--precision", common.products,
                 "of products: float32; on a GPU also tf32, bfloat16")
      ->transform(CLI::Transformer(precisions))
      ->default_str("float32");
  app.fallthrough();

  auto* peak = app.add_subcommand("peak", "fused multiply-adds of one core and of all");

  DenseBlockOptions dense;
  auto* block = app.add_subcommand("dense_block", "the fused dense block");
  block->add_option("--channels", dense.channels)->capture_default_str();
  block->add_option("--outputs", dense.outputs)->capture_default_str();
  block->add_option("--growth", dense.growth)->capture_default_str();
  block->add_option("--batch", dense.batch)->capture_default_str();
  block->add_option("--size", dense.size, "height and width")->capture_default_str();

  LadderOptions ladder;
  auto* rungs = app.add_subcommand(
      "ladder", "a dense block from plain loops to the fused one, on one thread, with errors");
  rungs->add_option("--channels", ladder.channels)->capture_default_str();
  rungs->add_option("--outputs", ladder.outputs)->capture_default_str();
  rungs->add_option("--growth", ladder.growth)->capture_default_str();
  rungs->add_option("--size", ladder.size, "height and width")->capture_default_str();

  ProductsOptions product;
  auto* products = app.add_subcommand("products", "convolutions and matrix products");
  products->add_option("--channels", product.channels)->capture_default_str();
  products->add_option("--outputs", product.outputs)->capture_default_str();
  products->add_option("--batch", product.batch)->capture_default_str();
  products->add_option("--size", product.size, "height and width of the image")
      ->capture_default_str();
  products->add_option("--sides", product.sides, "of the square matrices")->capture_default_str();

  KernelsOptions kernels;
  auto* every = app.add_subcommand("kernels", "the kernels of a training step, each by itself");
  every->add_option("--batch", kernels.batch)->capture_default_str();
  every->add_option("--size", kernels.size, "height and width of the HR images, a multiple of 16")
      ->capture_default_str();
  every->add_option("--growth", kernels.growth, "of the dense blocks")->capture_default_str();
  every->add_option("--copy", kernels.copy, "MB that are copied to find the ceiling of bytes")
      ->capture_default_str();
  every->add_option("--product", kernels.product, "side of the product for that of operations")
      ->capture_default_str();

  NetworkOptions step, roundtrip{.batch = 1, .size = 512};
  const auto network_options = [](CLI::App* command, NetworkOptions& options, const char* size) {
    command->add_option("--network", options.network, "an invertible one")->capture_default_str();
    command->add_option("--enhanced", options.enhanced, "enhanced blocks; 0: as in the paper");
    command->add_option("--vanilla", options.vanilla, "vanilla blocks; 0: as in the paper");
    command->add_option("--scale", options.scale, "2 or 4")->capture_default_str();
    command->add_option("--batch", options.batch)->capture_default_str();
    command->add_option(size, options.size, "height and width of the HR images")
        ->capture_default_str();
    command->add_option("--quality", options.quality, "of the JPEG")->capture_default_str();
    command->add_option("--from", options.from, "safetensors with weights and images");
    command->add_option("--results", options.results, "where to write what comes out");
    command->add_flag("--on-request", options.on_request, "one run per line of standard input");
  };
  auto* training = app.add_subcommand("step", "a training step");
  network_options(training, step, "--patch");
  training
      ->add_option("--memory", step.memory,
                   "what is kept for the gradient: exact, reversible, checkpoint or stored")
      ->transform(CLI::Transformer(memory_modes))
      ->default_str("exact");
  training->add_option("--graph", step.replay, "on a GPU: capture a pass and replay it, on or off")
      ->transform(CLI::Transformer(std::map<std::string, bool>{{"on", true}, {"off", false}}))
      ->default_str("on");
  auto* inference = app.add_subcommand("roundtrip", "down, JPEG and up again");
  network_options(inference, roundtrip, "--size");

  UpscalerOptions image, patches{.batch = 16, .size = 48};
  const auto upscaler_options = [](CLI::App* command, UpscalerOptions& options) {
    command->add_option("--network", options.network, "an upscaler")->required();
    command->add_option("--set", options.set, "KEY=VALUE: an option of the network")
        ->allow_extra_args(false);
    command->add_option("--batch", options.batch)->capture_default_str();
    command->add_option("--size", options.size, "height and width of the LR images")
        ->capture_default_str();
    command->add_option("--from", options.from, "safetensors with weights and images");
    command->add_option("--results", options.results, "where to write what comes out");
    command->add_flag("--on-request", options.on_request, "one run per line of standard input");
  };
  auto* upscale = app.add_subcommand("upscale", "an ordinary upscaler on an image");
  upscaler_options(upscale, image);
  auto* upscale_step = app.add_subcommand("upscale_step", "a training step of one");
  upscaler_options(upscale_step, patches);

  DriftOptions drift;
  auto* inversion = app.add_subcommand("drift", "what inverting a network back loses or keeps");
  inversion->add_option("--network", drift.network, "an invertible one of a single chain, x2")
      ->capture_default_str();
  inversion->add_option("--enhanced", drift.enhanced, "enhanced blocks; 0: as in the paper");
  inversion->add_option("--vanilla", drift.vanilla, "vanilla blocks; 0: as in the paper");
  inversion->add_option("--gain", drift.gain, "weights uniform in ±gain/sqrt(fan-in); 0: untrained")
      ->check(CLI::Range(0.0, 100.0));
  inversion->add_option("--from", drift.from, "weights: a file or the folder of a run");
  inversion->add_option("--image", drift.image, "a photograph")->capture_default_str();
  inversion->add_option("--size", drift.size, "side of the part to use, even")
      ->check(CLI::Range(2, 4096))
      ->capture_default_str();

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& stop) {  // thrown for --help, too
    return app.exit(stop) == 0 ? 0 : 1;
  }
  if (threads > 0) mini::set_threads(threads);
  mini::check(common.device.is_cuda() || common.products == mini::ops::Products::full,
              "--precision: tf32 and bfloat16 are for a GPU (--device cuda)");
  mini::ops::set_products(common.products);
  if (peak->parsed()) run_peak(common);
  if (block->parsed()) run_dense_block(common, dense);
  if (rungs->parsed()) run_ladder(common, ladder);
  if (products->parsed()) run_products(common, product);
  if (every->parsed()) run_kernels(common, kernels);
  if (training->parsed()) run_step(common, step);
  if (inference->parsed()) run_roundtrip(common, roundtrip);
  if (upscale->parsed()) run_upscale(common, image);
  if (upscale_step->parsed()) run_upscale_step(common, patches);
  if (inversion->parsed()) run_drift(common, drift);
  return 0;
} catch (const mini::Error& error) {
  fmt::print(stderr, "mini_bench: {}\n", error.what());
  return 1;
}
