// The table of everything that can be configured. See train/config.h.
#include "train/config.h"

#include <algorithm>
#include <map>
#include <memory>

#include "io/file.h"
#include "train/fields.h"

namespace mini::train {
namespace {
namespace fs = std::filesystem;

constexpr std::size_t largest_file = 1 << 20;  // bytes; a config is a page of text

// What does not depend on the network.
std::vector<Field> common_fields(TrainConfig& c) {
  const Range count = at_least(0), some = at_least(1);
  return {
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
      {"threads", &c.threads, "of the arithmetic; 0: one a core", between(0, 1024)},
  };
}

std::size_t place_of(const std::vector<std::string>& names, const std::string& name) {
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

std::vector<Field> below(const std::string& group, std::vector<Field> fields) {
  for (Field& field : fields) field.path = concat_text(group, '.', field.path);
  return fields;
}

// The row of something that was chosen before the other rows were known.
Field chosen(const std::string& path, const std::string& name, const std::string& help,
             const std::vector<std::string>& names) {
  const Choice as_is{[place = place_of(names, name)] { return place; }, [](std::size_t) {}};
  return {path, as_is, help, {}, names};
}

// With the network's own rows.
std::vector<Field> fields_of(TrainConfig& c) {
  std::vector<Field> fields{
      chosen("model.network", c.model.name(), "the network", models::network_names())};
  for (const std::vector<Field>& part : {below("model", c.model.fields()), common_fields(c)})
    fields.insert(fields.end(), part.begin(), part.end());
  return fields;
}

bool changes_results(const std::string& path) {
  return path != "out" && path != "threads" && path != "data.workers" && path != "data.cache_mb" &&
         !path.starts_with("log.") && !path.starts_with("checkpoint.") &&
         !path.starts_with("validation.");
}

// With what follows from other values.
TrainConfig completed(TrainConfig c) {
  c.data.scale = c.model.scale();
  if (c.schedule.type == ScheduleType::cosine && c.schedule.periods.empty())
    c.schedule.periods = {c.steps};
  return c;
}

// What no field can check alone.
void check_together(const TrainConfig& c) {
  check(!c.data.folders.empty(), "data.train: names no folder");
  check(c.data.patch % c.model.scale() == 0, "data.patch: must be a multiple of model.scale (",
        c.model.scale(), "), got ", c.data.patch);
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

// What keys of networks that are not the one chosen say is checked, and then forgotten: a run's
// configuration written before each network had its own keys held those of all.
class OtherNetworks {
 public:
  explicit OtherNetworks(const std::string& chosen, std::vector<Field>& fields) {
    for (const models::Network& network : models::networks()) {
      if (network.name == chosen) continue;
      configs_.push_back(std::make_unique<models::NetworkConfig>(network.name));
      for (Field& field : below("model", configs_.back()->fields()))
        if (std::none_of(fields.begin(), fields.end(),
                         [&](const Field& own) { return own.path == field.path; }))
          fields.push_back(std::move(field));
    }
  }

 private:
  std::vector<std::unique_ptr<models::NetworkConfig>> configs_;
};

// The network decides which rows there are, so it is read first.
models::NetworkConfig chosen_network(const std::string& text, const std::string& source,
                                     std::span<const std::string> assignments) {
  std::string network = models::networks().front().name;
  const Field field[]{{"model.network", &network, "", {}, models::network_names()}};
  read_fields(field, text, source, {}, Others::skipped);
  for (const std::string& assignment : assignments)
    if (assignment.starts_with("model.network=")) set_field(field, assignment, {});
  return models::NetworkConfig(network);
}

}  // namespace

TrainConfig parse_config(const std::string& text, const std::string& source, const fs::path& folder,
                         std::span<const std::string> assignments) {
  TrainConfig config;
  config.out = (fs::absolute(folder) / config.out).lexically_normal();
  config.model = chosen_network(text, source, assignments);
  std::vector<Field> fields = fields_of(config);
  const OtherNetworks others(config.model.name(), fields);
  read_fields(fields, text, source, fs::absolute(folder));
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
  const auto rows = [](TrainConfig config) {
    std::map<std::string, std::string> texts;
    for (const Field& field : fields_of(config))
      if (changes_results(field.path)) texts[field.path] = write_fields({&field, 1});
    return texts;
  };
  const std::map<std::string, std::string> rows_a = rows(a), rows_b = rows(b);
  std::vector<std::string> differences;
  for (const auto& [path, text] : rows_a)
    if (const auto found = rows_b.find(path); found == rows_b.end() || found->second != text)
      differences.push_back(path);
  for (const auto& [path, text] : rows_b)
    if (!rows_a.contains(path)) differences.push_back(path);
  return differences;
}

}  // namespace mini::train
