#include <fmt/core.h>
#include <utility>

#include "tensor/allocator.h"
#include "tools/mini_infer/commands.h"
#include "tools/mini_infer/jobs.h"

namespace mini::infer {

int scale_images(const ModelOptions& model_options, const ScaleOptions& options) {
  const auto jobs = plan_jobs(options.inputs, options.output,
                              std::string(".").append(io::name_of(options.format)));
  for (const Job& job : jobs) {
    const std::string extension = job.output.extension().string();
    check(!extension.empty(), job.output.string(),
          ": needs an extension that says the format (.png, .jpg, .webp)");
    io::parse_image_format(extension.substr(1));
  }
  // A single image is read before the network is loaded, so that a wrong name is told at once.
  Tensor first;
  if (jobs.size() == 1) first = io::read_image(jobs.front().input);
  const Model model = load_model(model_options);
  return run_jobs(jobs, [&](const Job& job) {
    Tensor image = first.defined() ? std::exchange(first, {}) : io::read_image(job.input);
    const Tensor result =
        options.up ? model.scaler->upscale(image) : model.scaler->downscale(image);
    const Shape size = image.shape();
    image = {};
    allocator({}).trim();  // the codec has its own memory
    io::write_image(job.output, result, options.quality);
    fmt::print("{} ({}x{}) -> {} ({}x{})\n", printable(job.input.string()), size[1], size[0],
               printable(job.output.string()), result.size(1), result.size(0));
  });
}

}  // namespace mini::infer
