// Validation during training: measures on held-out images, and keeps pictures of some.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "infer/evaluate.h"
#include "models/rescaler.h"

namespace mini::train {

struct ValidationOptions {
  std::vector<std::filesystem::path> folders{};  // none: no validation
  std::int64_t every = 5000;                     // steps
  std::int64_t images = 0;                       // how many of the first are used; 0: all
  std::int64_t pictures = 4;                     // how many images' pictures are kept
  std::optional<io::ImageFormat> format{};       // none: that of the recipe
  std::vector<int> qualities = {75};             // of the codec
  std::filesystem::path except{};                // a folder in them to be passed over
};

// The middle of one image: HR | LR as decoded, enlarged | upscaled | the same by bicubic.
struct Picture {
  std::string
      name;  // of the file, without extension; a number is added where two files have the same
  Tensor image;
};

struct Validation {
  infer::Evaluation table;  // rows of the network and of bicubic
  double score = 0;         // the network's PSNR-Y, the mean over the qualities
  std::vector<Picture> pictures;
};

class Validator {
 public:
  // Leaves out images that cannot be read or are too small. Throws when a folder has no images, or
  // nothing is left. `trained`: the codec that the recipe trains for.
  Validator(ValidationOptions options, io::ImageFormat trained);

  bool enabled() const { return !paths_.empty(); }
  std::int64_t image_count() const { return static_cast<std::int64_t>(paths_.size()); }
  // One line for each file left out.
  const std::vector<std::string>& skipped() const { return skipped_; }
  // One line for each oddity of a file that is used.
  const std::vector<std::string>& notices() const { return notices_; }
  // `stop` is asked after each image; once it says yes, there is no result.
  std::optional<Validation> run(const models::Rescaler& network,
                                const std::function<bool()>& stop) const;

 private:
  ValidationOptions options_;
  io::ImageFormat format_;
  std::vector<std::filesystem::path> paths_;
  std::vector<std::string> skipped_, notices_;
};

}  // namespace mini::train
