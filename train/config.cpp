// The table of everything that can be configured. See train/config.h.
#include "train/config.h"

#include "io/file.h"
#include "train/fields.h"

namespace mini::train {
namespace {
namespace fs = std::filesystem;

constexpr std::size_t largest_file = 1 << 20;  // bytes; a config is a page of text

std::vector<Field> fields_of(TrainConfig& c) {
  const Range count = at_least(0), some = at_least(1);
  return {
      {"model.network", &c.model.network, "the network", {}, {"sain", "irn"}},
      {"model.scale", &c.model.scale, "HR side / LR side", {}, {"2", "4"}},
      {"model.enhanced_blocks", &c.model.enhanced_blocks,
       "enhanced blocks of SAIN; 0: the paper's 5 (x2) or 10 (x4)", between(0, 100)},
      {"model.vanilla_blocks", &c.model.vanilla_blocks,
       "blocks after them (SAIN; 0: 3 or 6), or at each level (IRN; 0: 8)", between(0, 100)},
      {"model.growth", &c.model.growth, "channels that each convolution of a dense block adds",
       between(1, 1024)},

      {"data.train", &c.data.folders, "folders of images to train on"},
      {"data.patch", &c.data.patch, "side of the square HR crops, in pixels", between(8, 4096)},
      {"data.batch", &c.data.batch, "crops in a batch", between(1, 4096)},
      {"data.flip", &c.data.flip, "mirror crops at random, both ways"},
      {"data.transpose", &c.data.transpose, "swap rows and columns of crops at random"},
      {"data.workers", &c.data.workers, "background threads that load; 0: none", between(0, 64)},
      {"data.cache_mb", &c.data.cache_mb, "decoded images kept in memory, in MB",
       between(0, 1 << 24)},

      {"train.steps", &c.steps, "steps of the optimiser", some},
      {"train.lr", &c.lr, "learning rate", more_than(0, 1)},
      {"train.clip_norm", &c.clip_norm, "largest norm of the gradient; 0: any", count},
      {"train.seed", &c.seed, "of the initial weights, the batches and the noise", count},
      {"train.beta1", &c.adam.beta1, "Adam: decay of the gradient's mean", between(0, 0.9999999)},
      {"train.beta2", &c.adam.beta2, "Adam: decay of the mean square", between(0, 0.9999999)},
      {"train.eps", &c.adam.eps, "Adam: added to the root of the mean square", more_than(0, 1)},
      {"train.weight_decay", &c.adam.weight_decay, "pull of the weights to zero", between(0, 1)},
      {"train.decoupled_decay", &c.adam.decoupled,
       "apply it beside the step (AdamW) instead of adding it to the gradient (L2)"},
      {"train.schedule.type",
       choice(&c.schedule.type),
       "how the learning rate falls",
       {},
       {"multistep", "cosine"}},
      {"train.schedule.milestones", &c.schedule.milestones,
       "multistep: steps at which it is multiplied by gamma", count},
      {"train.schedule.gamma", &c.schedule.gamma, "multistep: see milestones", more_than(0, 1)},
      {"train.schedule.periods", &c.schedule.periods,
       "cosine: steps from restart to restart; none: one period, the whole run", some},
      {"train.schedule.restart_weights", &c.schedule.restart_weights,
       "cosine: factor of the learning rate, one a period; none: all 1", count},
      {"train.schedule.eta_min", &c.schedule.eta_min, "cosine: where each period ends",
       between(0, 1)},
      {"train.schedule.warmup", &c.schedule.warmup, "steps in which it rises to full", count},

      {"loss.lambda_back", &c.objective.lambda_back, "weight of the reconstruction", count},
      {"loss.lambda_forw", &c.objective.lambda_forw,
       "weight of the LR terms; the papers: 4 (x2), 16 (x4)", count},
      {"loss.lambda_prior", &c.objective.lambda_prior, "IRN: weight of the latent's prior", count},
      {"loss.latent_scale", &c.objective.latent_scale, "factor of the latent sample", count},
      {"codec.format", choice(&c.objective.format), "the codec trained for", {}, {"jpeg", "webp"}},
      {"codec.quality", &c.objective.qualities,
       "its quality; of a list or \"30..90\" one is drawn each step", between(1, 100)},

      {"validation.folders", &c.validation.folders, "folders of images to validate on"},
      {"validation.every", &c.validation.every, "steps from one validation to the next", some},
      {"validation.images", &c.validation.images, "take the first so many images; 0: all", count},
      {"validation.pictures", &c.validation.pictures,
       "show so many: HR, LR, upscaled, bicubic side by side", count},
      {"validation.quality", &c.validation.qualities, "qualities of the codec", between(1, 100)},

      {"checkpoint.every", &c.checkpoint.every, "steps from one checkpoint to the next", some},
      {"checkpoint.keep_last", &c.checkpoint.keep_last, "how many to keep", some},
      {"checkpoint.keep_best", &c.checkpoint.keep_best,
       "also keep the one with the best PSNR in validation, as best.safetensors"},

      {"log.every", &c.log.every, "steps from one line of the log to the next", some},
      {"log.tensorboard", &c.log.tensorboard, "also write event files for TensorBoard"},

      {"out", &c.out, "folder of the run: checkpoints, log, pictures"},
      {"precision",
       choice(&c.precision),
       "of the arithmetic; tf32 and bfloat16, on a GPU only: float32 whose products a GPU's tensor "
       "cores compute from rounded factors",
       {},
       {"float32", "float64", "tf32", "bfloat16"}},
      {"memory",
       choice(&c.memory),
       "what is kept for the gradient: exact, a byte per value and layer; reversible, nothing, "
       "with "
       "rounding errors; checkpoint, inputs of layers; stored, everything. All but reversible give "
       "the same bits",
       {},
       {"exact", "reversible", "checkpoint", "stored"}},
      {"threads", &c.threads,
       "threads that compute; 0: one for each processor that the process may use",
       between(0, 1024)},
  };
}

bool changes_results(const std::string& path) {
  return path != "out" && path != "threads" && path != "data.workers" && path != "data.cache_mb" &&
         !path.starts_with("log.") && !path.starts_with("checkpoint.") &&
         !path.starts_with("validation.");
}

// With what follows from other values.
TrainConfig completed(TrainConfig c) {
  c.data.scale = c.model.scale;
  if (c.schedule.type == ScheduleType::cosine && c.schedule.periods.empty())
    c.schedule.periods = {c.steps};
  return c;
}

// What no field can check alone.
void check_together(const TrainConfig& c) {
  check(!c.data.folders.empty(), "data.train: names no folder");
  check(c.data.patch % c.model.scale == 0, "data.patch: must be a multiple of model.scale (",
        c.model.scale, "), got ", c.data.patch);
  check(!c.objective.qualities.empty(), "codec.quality: must not be empty");
  check(!c.validation.qualities.empty(), "validation.quality: must not be empty");
  check(!c.out.empty(), "out: names no folder");
  validate(c.schedule);
}

// The text of the error, empty where there is none.
std::string complaint_about(const TrainConfig& config) {
  try {
    check_together(completed(config));
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

TrainConfig parse_config(const std::string& text, const std::string& source, const fs::path& folder,
                         std::span<const std::string> assignments) {
  TrainConfig config;
  // "x.json" has an empty folder, which absolute() refuses.
  const fs::path base = folder.empty() ? fs::current_path() : fs::absolute(folder);
  config.out = (base / config.out).lexically_normal();
  const std::vector<Field> fields = fields_of(config);
  read_fields(fields, text, source, base);
  // What one assignment spoils another may mend, so errors wait to the end. To blame is whatever
  // brought the last one.
  std::string complaint = complaint_about(config), blamed = source;
  for (const std::string& assignment : assignments) {
    set_field(fields, assignment, fs::current_path());
    const std::string now = complaint_about(config);
    if (now != complaint) blamed = "--set " + assignment;
    complaint = now;
  }
  check(complaint.empty(), blamed, ": ", complaint);
  return completed(std::move(config));
}

DType dtype_of(Precision precision) {
  return precision == Precision::float64 ? DType::float64 : DType::float32;
}

TrainConfig load_config(const fs::path& path, std::span<const std::string> assignments) {
  const io::Bytes bytes = io::read_file(path, largest_file);
  return parse_config(std::string(io::as_text(bytes)), path.string(), path.parent_path(),
                      assignments);
}

std::string config_text(const TrainConfig& config) {
  TrainConfig copy = config;
  return write_fields(fields_of(copy));
}

std::string config_help() {
  TrainConfig defaults;
  return write_fields(fields_of(defaults), Comments::help);
}

std::vector<std::string> config_differences(const TrainConfig& a, const TrainConfig& b) {
  TrainConfig copy_a = a, copy_b = b;
  const std::vector<Field> fields_a = fields_of(copy_a), fields_b = fields_of(copy_b);
  std::vector<std::string> differences;
  for (std::size_t i = 0; i < fields_a.size(); ++i)
    if (changes_results(fields_a[i].path) &&
        write_fields({&fields_a[i], 1}) != write_fields({&fields_b[i], 1}))
      differences.push_back(fields_a[i].path);
  return differences;
}

}  // namespace mini::train
