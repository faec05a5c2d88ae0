#include <fmt/core.h>
#include <utility>

#include "tensor/allocator.h"
#include "tensor/view.h"
#include "tools/mini_infer/commands.h"
#include "tools/mini_infer/jobs.h"
#include "tools/mini_infer/origin.h"

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

// Takes out what the format cannot hold, and tells so.
void fit_metadata(io::Metadata& metadata, const Job& job) {
  const std::string extension = job.output.extension().string();
  if (io::parse_image_format(extension.substr(1)) != io::ImageFormat::jpeg) return;
  const auto drop = [&](io::Bytes& part, std::size_t most, const char* name) {
    if (part.size() <= most) return;
    tell(job.output, fmt::format("left out {} bytes of {}, of which a JPEG holds at most {}",
                                 part.size(), name, most));
    part.clear();
  };
  drop(metadata.exif, io::max_jpeg_exif, "Exif data");
  drop(metadata.profile, io::max_jpeg_profile, "colour profile");
}

// The large image cut to the size of the original, if the small one tells it.
Tensor cut_to_original(const Tensor& large, const Tensor& small, const std::string& note,
                       const Job& job, const Model& model, const std::string& fingerprint) {
  const std::int64_t scale = model.scaler->scale();
  const std::optional<Origin> origin = parse_origin(note);
  if (!origin) {
    tell(job.input, fmt::format("does not tell the size of its original; the result has {} times "
                                "its own size",
                                scale));
    return large;
  }
  if (origin->model != fingerprint)
    tell(job.input, fmt::format("was made by {}, and these weights are {}: the result may be worse",
                                origin->model, fingerprint));
  const auto small_side = [&](std::int64_t side) { return (side + scale - 1) / scale; };
  if (origin->scale != scale || small_side(origin->height) != small.size(0) ||
      small_side(origin->width) != small.size(1)) {
    tell(job.input, fmt::format("is not what was made of {}x{} pixels at scale {}; the result has "
                                "{} times its own size",
                                origin->width, origin->height, origin->scale, scale));
    return large;
  }
  return ops::contiguous(
      ops::narrow(ops::narrow(large, 0, 0, origin->height), 1, 0, origin->width));
}

// Writes the file; returns the quality that a target asked for, 0 where there is no target.
int write_result(const Job& job, const Tensor& image, const ScaleOptions& options,
                 const io::Metadata& metadata) {
  io::EncodeOptions encode = options.encode;
  encode.metadata = &metadata;
  std::int64_t target = options.target_bytes;
  if (options.target_bpp > 0)
    target = static_cast<std::int64_t>(options.target_bpp *
                                       static_cast<double>(image.size(0) * image.size(1)) / 8);
  if (target == 0) {
    io::write_image(job.output, image, encode);
    return 0;
  }
  try {
    const std::string extension = job.output.extension().string();
    const io::FittedFile file =
        io::encode_to_size(image, io::parse_image_format(extension.substr(1)), target, encode);
    io::write_file_atomically(job.output, file.bytes);
    return file.quality;
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
  Input first;
  if (jobs.size() == 1) first = read_input(jobs.front().input);
  const Model model = load_model(model_options);
  const std::string fingerprint = fingerprint_of(model);
  return run_jobs(jobs, [&](const Job& job) {
    auto [image, metadata] =
        first.image.defined() ? std::exchange(first, {}) : read_input(job.input);
    check_result_fits(job, image, model.scaler->scale(), options.up);
    const int quality_shown = metadata.quality.value_or(models::lossless);
    Tensor result =
        options.up ? model.scaler->upscale(image, quality_shown) : model.scaler->downscale(image);
    if (options.up)
      result =
          cut_to_original(result, image, std::exchange(metadata.note, {}), job, model, fingerprint);
    else
      metadata.note = to_note({image.size(1), image.size(0), model.scaler->scale(), fingerprint});
    if (options.strip) metadata.exif = metadata.profile = {};
    fit_metadata(metadata, job);
    const Shape size = image.shape();
    image = {};
    allocator({}).trim();  // the codec has its own memory
    const int quality = write_result(job, result, options, metadata);
    fmt::print("{} ({}x{}) -> {} ({}x{}{})\n", printable(job.input.string()), size[1], size[0],
               printable(job.output.string()), result.size(1), result.size(0),
               quality > 0 ? fmt::format(", quality {}", quality) : "");
  });
}

}  // namespace mini::infer
