#include <fmt/core.h>
#include <utility>

#include "tensor/allocator.h"
#include "tools/mini_infer/commands.h"
#include "tools/mini_infer/jobs.h"

namespace mini::infer {
namespace {

// Told before the work: a result that its format cannot store.
void check_result_fits(const Job& job, const Tensor& image, std::int64_t scale, bool up) {
  const auto side = [&](int i) {
    return up ? image.size(i) * scale : (image.size(i) + scale - 1) / scale;
  };
  const std::string extension = job.output.extension().string();
  try {
    io::check_encodable(side(1), side(0), io::parse_image_format(extension.substr(1)));
  } catch (const Error& error) {
    fail(job.output.string(), ": ", error.what());
  }
}

}  // namespace

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
  if (jobs.size() == 1) first = read_input(jobs.front().input);
  const Model model = load_model(model_options);
  return run_jobs(jobs, [&](const Job& job) {
    Tensor image = first.defined() ? std::exchange(first, {}) : read_input(job.input);
    check_result_fits(job, image, model.scaler->scale(), options.up);
    const Tensor result =
        options.up ? model.scaler->upscale(image) : model.scaler->downscale(image);
    const Shape size = image.shape();
    image = {};
    allocator({}).trim();  // the codec has its own memory
    io::write_image(job.output, result, {.quality = options.quality});
    fmt::print("{} ({}x{}) -> {} ({}x{})\n", printable(job.input.string()), size[1], size[0],
               printable(job.output.string()), result.size(1), result.size(0));
  });
}

}  // namespace mini::infer
