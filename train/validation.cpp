// Validation during training. See train/validation.h.
#include "train/validation.h"

#include <algorithm>

#include "infer/images.h"
#include "infer/picture.h"

namespace mini::train {
namespace {

constexpr std::int64_t least_side = 32;     // leaves room for SSIM's window within the borders
constexpr std::int64_t picture_side = 384;  // pixels; four of them fit on a screen

struct Stopped {};

Tensor make_picture(const std::filesystem::path& path, const infer::Scaler& network,
                    const infer::Scaler& bicubic, io::ImageFormat format, int quality) {
  const Tensor hr = infer::crop_middle(io::read_image(path), picture_side, network.scale());
  const infer::RoundTrip ours = infer::round_trip(network, hr, format, quality);
  const Tensor panels[] = {hr, infer::enlarge(ours.decoded, network.scale()), ours.hr,
                           infer::round_trip(bicubic, hr, format, quality).hr};
  return infer::side_by_side(panels);
}

// "photo", "photo-2": a/photo.png and b/photo.jpg go into one folder.
std::string unused_name(const std::string& stem, const std::vector<Picture>& others) {
  std::string name = stem;
  const auto is_its = [&](const Picture& other) { return other.name == name; };
  for (int i = 2; std::any_of(others.begin(), others.end(), is_its); ++i)
    name = concat_text(stem, '-', i);
  return name;
}

}  // namespace

Validator::Validator(ValidationOptions options, io::ImageFormat trained)
    : options_(std::move(options)), format_(options_.format.value_or(trained)) {
  if (options_.folders.empty()) return;
  // Images that cannot be used are reported now, before hours of training.
  for (const std::filesystem::path& path : infer::find_images(options_.folders, options_.except)) {
    if (options_.images > 0 && image_count() == options_.images) break;
    try {
      std::vector<std::string> notices;
      const Tensor image = io::read_image(path, {.notices = &notices});
      check(std::min(image.size(0), image.size(1)) >= least_side, path.string(), ": ",
            image.size(1), "x", image.size(0), " is too small to validate on; at least ",
            least_side);
      paths_.push_back(path);
      for (const std::string& notice : notices) notices_.push_back(path.string() + ": " + notice);
    } catch (const Error& error) {
      skipped_.emplace_back(error.what());
    }
  }
  check(!paths_.empty(), "validation: no image can be used; ",
        skipped_.empty() ? "" : skipped_.front());
}

std::optional<Validation> Validator::run(const models::Rescaler& network,
                                         const std::function<bool()>& stop) const {
  const auto ours = infer::network_scaler(network);
  const auto bicubic = infer::bicubic_scaler(network.scale());
  const auto look_at_stop = [&](std::size_t, std::size_t) {
    if (stop()) throw Stopped();
  };
  Validation result;
  try {
    result.table =
        infer::evaluate({ours.get(), bicubic.get()}, paths_,
                        {.formats = {format_}, .qualities = options_.qualities}, look_at_stop);
    for (const std::filesystem::path& path : paths_) {
      if (static_cast<std::int64_t>(result.pictures.size()) == options_.pictures) break;
      result.pictures.push_back(
          {unused_name(path.stem().string(), result.pictures),
           make_picture(path, *ours, *bicubic, format_, options_.qualities.front())});
      look_at_stop(0, 0);
    }
  } catch (const Stopped&) {
    return std::nullopt;
  }
  for (const infer::EvaluationRow& row : result.table.rows)
    if (row.method == ours->name())
      result.score += row.mean.psnr_y / static_cast<double>(options_.qualities.size());
  return result;
}

}  // namespace mini::train
