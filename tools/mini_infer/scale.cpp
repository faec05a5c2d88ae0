// downscale and upscale: pictures of any mode, one or many.
#include <fmt/core.h>
#include <unistd.h>
#include <utility>

#include "infer/any_picture.h"
#include "io/modes.h"
#include "tensor/allocator.h"
#include "tensor/view.h"
#include "tools/mini_infer/commands.h"
#include "tools/mini_infer/origin.h"
#include "tools/mini_infer/run_jobs.h"

namespace mini::infer {
namespace {

// Of the result: what its name ends with; of standard output what --format says.
io::ImageFormat format_of(const Job& job, const ScaleOptions& options) {
  if (is_stream(job.output)) return options.format;
  const std::string extension = job.output.extension().string();
  check(!extension.empty(), job.output.string(),
        ": needs an extension that says the format (.png, .jpg, .webp)");
  return io::parse_image_format(extension.substr(1));
}

// Told before the work: a result that its format cannot store.
void check_result_fits(const Job& job, const Tensor& image, std::int64_t scale,
                       const ScaleOptions& options) {
  const auto side = [&](int i) {
    return options.up ? image.size(i) * scale : (image.size(i) + scale - 1) / scale;
  };
  try {
    io::check_encodable(side(1), side(0), format_of(job, options));
  } catch (const Error& error) {
    fail(job.output.string(), ": ", error.what());
  }
  if (side(0) * side(1) > io::default_max_pixels)
    tell(job.output, fmt::format("has {} million pixels; reading it takes --max-pixels {}M",
                                 side(0) * side(1) / 1'000'000, side(0) * side(1) / 1'000'000 + 1));
}

// The picture without what the result's format cannot hold, and tells so.
Tensor fit_mode(Tensor picture, const Job& job, io::ImageFormat format) {
  if (format != io::ImageFormat::png && picture.dtype() != DType::uint8) {
    tell(job.output, fmt::format("is {}, which holds 8 bits a value; the picture's 16 were rounded",
                                 io::name_of(format)));
    picture = io::to_8_bits(picture);
  }
  if (format == io::ImageFormat::jpeg && io::has_alpha(picture)) {
    tell(job.output, "is jpeg, which has no transparency; the picture was laid on white");
    picture = io::on_white(picture);
  }
  return picture;
}

// The metadata without what the format cannot hold, and tells so.
void fit_metadata(io::Metadata& metadata, const Job& job, io::ImageFormat format) {
  if (format != io::ImageFormat::jpeg) return;
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

void write_bytes(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  if (!is_stream(path)) return io::write_file_atomically(path, bytes);
  while (!bytes.empty()) {
    const ssize_t count = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    check(count > 0, "standard output cannot be written");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

// Writes the file; returns the quality that a target asked for, 0 where there is no target.
int write_result(const Job& job, const Tensor& image, const ScaleOptions& options,
                 const io::Metadata& metadata) {
  io::EncodeOptions encode = options.encode;
  encode.metadata = &metadata;
  const io::ImageFormat format = format_of(job, options);
  std::int64_t target = options.target_bytes;
  if (options.target_bpp > 0)
    target = static_cast<std::int64_t>(options.target_bpp *
                                       static_cast<double>(image.size(0) * image.size(1)) / 8);
  try {
    if (target == 0) {
      write_bytes(job.output, io::encode(image, format, encode));
      return 0;
    }
    const io::FittedFile file = io::encode_to_size(image, format, target, encode);
    write_bytes(job.output, file.bytes);
    return file.quality;
  } catch (const Error& error) {
    fail(job.output.string(), ": ", error.what());
  }
}

class ScaleJob {
 public:
  ScaleJob(const ScaleOptions& options, const Model& model)
      : options_(options), model_(model), fingerprint_(fingerprint_of(model)) {}

  Output work(const Job& job, Input input) const {
    auto& [image, metadata, notices] = input;
    const io::ImageFormat format = format_of(job, options_);
    const std::int64_t scale = model_.scaler->scale();
    check_result_fits(job, image, scale, options_);
    image = fit_mode(image, job, format);
    const auto way = options_.up ? models::Rescaling::upscale : models::Rescaling::downscale;
    Tensor result =
        scale_picture(*model_.scaler, image, way, metadata.quality.value_or(models::lossless));
    if (options_.up)
      result = cut_to_original(result, image, std::exchange(metadata.note, {}), job, model_,
                               fingerprint_);
    else
      metadata.note = to_note({image.size(1), image.size(0), scale, fingerprint_});
    if (options_.strip) metadata.exif = metadata.profile = {};
    fit_metadata(metadata, job, format);
    const Shape size = image.shape();
    input.image = {};
    allocator({}).trim();  // the codec has its own memory
    const auto write = [this, job, result, size, kept = std::move(metadata)] {
      const int quality = write_result(job, result, options_, kept);
      return fmt::format("{} ({}x{}) -> {} ({}x{}{})", printable(job.input.string()), size[1],
                         size[0], printable(job.output.string()), result.size(1), result.size(0),
                         quality > 0 ? fmt::format(", quality {}", quality) : "");
    };
    return {.write = write, .bytes = codec_images * result.bytes()};
  }

 private:
  const ScaleOptions& options_;
  const Model& model_;
  std::string fingerprint_;
};

}  // namespace

int scale_images(const ModelOptions& model_options, const ScaleOptions& options) {
  Naming naming = options.naming;
  naming.extension = std::string(".").append(io::name_of(options.format));
  const auto jobs = plan_jobs(options.inputs, options.output, naming);
  for (const Job& job : jobs) format_of(job, options);
  if (jobs.empty()) return 0;  // all results are there
  // A single image is read before the network is loaded, so that a wrong name is told at once.
  Input first;
  if (jobs.size() == 1) first = read_input(jobs.front().input, model_options, true);
  const Model model = load_model(model_options);
  const ScaleJob scale(options, model);
  return run_jobs(jobs, model_options,
                  {.read =
                       [&first](const Job& job, const ModelOptions& limits) {
                         return first.image.defined() ? std::exchange(first, {})
                                                      : read_input(job.input, limits, true);
                       },
                   .work = [&scale](const Job& job,
                                    Input input) { return scale.work(job, std::move(input)); }});
}

}  // namespace mini::infer
