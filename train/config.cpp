// The table of everything that can be configured. See train/config.h.
#include "train/config.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>

#include "io/file.h"
#include "train/fields.h"

namespace mini::train {
namespace {
namespace fs = std::filesystem;

constexpr std::size_t largest_file = 1 << 20;  // bytes; a config is a page of text

// The rows that depend neither on the network nor on the recipe.
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
      {"train.optimizer",
       choice(&c.optimizer.type),
       "Adam, AdamW, SGD, or Ranger: RAdam, Lookahead and centralised gradients",
       {},
       {"adam", "adamw", "sgd", "ranger"}},
      {"train.clip_norm", &c.clip_norm, "largest norm of the gradient; 0: any", count},
      {"train.seed", &c.seed, "of the initial weights, the batches and the noise", count},
      {"train.beta1", &c.optimizer.beta1, "Adam, Ranger: decay of the gradient's mean",
       between(0, 0.9999999)},
      {"train.beta2", &c.optimizer.beta2, "Adam, Ranger: decay of the mean square",
       between(0, 0.9999999)},
      {"train.eps", &c.optimizer.eps, "Adam, Ranger: added to the root of the mean square",
       more_than(0, 1)},
      {"train.weight_decay", &c.optimizer.weight_decay, "pull of the weights to zero",
       between(0, 1)},
      {"train.decoupled_decay", &c.optimizer.decoupled,
       "Adam: apply it beside the step (as adamw does) instead of adding it to the gradient (L2)"},
      {"train.momentum", &c.optimizer.momentum, "SGD: share of the step before",
       between(0, 0.9999999)},
      {"train.lookahead_steps", &c.optimizer.lookahead_steps,
       "Ranger: steps after which the slow weights follow", some},
      {"train.lookahead_pull", &c.optimizer.lookahead_pull, "Ranger: how far, of the way",
       more_than(0, 1)},
      {"train.ema", &c.ema,
       "decay of the average of the weights, which is validated and is what mini_infer takes; 0: "
       "none",
       between(0, 0.9999999)},
      {"train.schedule.type",
       choice(&c.schedule.type),
       "how the learning rate falls",
       {},
       {"multistep", "cosine", "trapezoid"}},
      {"train.schedule.milestones", &c.schedule.milestones,
       "multistep: steps at which it is multiplied by gamma", count},
      {"train.schedule.gamma", &c.schedule.gamma, "multistep: see milestones", more_than(0, 1)},
      {"train.schedule.periods", &c.schedule.periods,
       "cosine: steps from restart to restart; none: one period, the whole run", some},
      {"train.schedule.restart_weights", &c.schedule.restart_weights,
       "cosine: factor of the learning rate, one a period; none: all 1", count},
      {"train.schedule.eta_min", &c.schedule.eta_min,
       "cosine: where each period ends; trapezoid: where the run ends", between(0, 1)},
      {"train.schedule.decay", &c.schedule.decay,
       "trapezoid: steps at the end of the run in which it falls", count},
      {"train.schedule.warmup", &c.schedule.warmup, "steps in which it rises to full", count},

      {"validation.folders", &c.validation.folders, "folders of images to validate on"},
      {"validation.every", &c.validation.every, "steps from one validation to the next", some},
      {"validation.images", &c.validation.images, "take the first so many images; 0: all", count},
      {"validation.pictures", &c.validation.pictures,
       "show so many: HR, LR, upscaled, bicubic side by side", count},
      {"validation.format",
       nn::or_none(&c.validation.format),
       "codec in validation; trained: the one that the recipe trains for; png changes nothing",
       {},
       {"trained", "jpeg", "webp", "png"}},
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
      {"threads", &c.threads,
       "threads that compute; 0: one for each processor that the process may use",
       between(0, 1024)},
  };
}

std::size_t place_of(const std::vector<std::string>& names, const std::string& name) {
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

// "train" of "train.schedule.type"; empty: none
std::string group_of(const Field& field) {
  const std::size_t dot = field.path.find('.');
  return dot == std::string::npos ? std::string() : field.path.substr(0, dot);
}

// The row of the network or the recipe, which were chosen before the other rows were known.
Field chosen(const std::string& path, const std::string& name, const std::string& help,
             const std::vector<std::string>& names) {
  const Choice as_is{[place = place_of(names, name)] { return place; }, [](std::size_t) {}};
  return {path, as_is, help, {}, names};
}

std::vector<Field> network_fields(models::NetworkConfig& network) {
  std::vector<Field> fields = network.fields();
  for (Field& field : fields) field.path.insert(0, "model.");
  return fields;
}

// All rows, with those of the network and of the recipe, ordered by groups.
std::vector<Field> fields_of(TrainConfig& c) {
  std::vector<Field> fields{
      chosen("model.network", c.model.name(), "the network", models::network_names()),
      chosen("recipe", c.recipe.name(), "what is trained, and how", recipe_names())};
  for (const std::vector<Field>& part :
       {network_fields(c.model), common_fields(c), c.recipe.fields()})
    fields.insert(fields.end(), part.begin(), part.end());
  std::vector<Field> ordered;
  for (const Field& field : fields) {
    const std::string group = group_of(field);
    const auto last = std::find_if(ordered.rbegin(), ordered.rend(),
                                   [&](const Field& other) { return group_of(other) == group; });
    ordered.insert(last == ordered.rend() || group.empty() ? ordered.end() : last.base(), field);
  }
  return ordered;
}

bool changes_results(const std::string& path) {
  return path != "out" && path != "threads" && path != "data.workers" && path != "data.cache_mb" &&
         !path.starts_with("log.") && !path.starts_with("checkpoint.") &&
         !path.starts_with("validation.");
}

// Fills in the values that follow from others.
TrainConfig completed(TrainConfig c) {
  c.data.scale = c.model.scale();
  c.data.except = c.validation.except = c.out / "pictures";
  if (c.schedule.type == ScheduleType::cosine && c.schedule.periods.empty())
    c.schedule.periods = {c.steps};
  c.schedule.end = c.steps;
  return c;
}

// Checks what concerns several fields.
void check_together(const TrainConfig& c) {
  check(!c.data.folders.empty(), "data.train: names no folder");
  check(c.data.patch % c.model.scale() == 0, "data.patch: must be a multiple of model.scale (",
        c.model.scale(), "), got ", c.data.patch);
  check(!c.validation.qualities.empty(), "validation.quality: must not be empty");
  check(!c.out.empty(), "out: names no folder");
  validate(c.schedule);
  c.recipe.validate();
}

// The text of the error that the configuration causes; empty where it causes none.
std::string complaint_about(const TrainConfig& config) {
  try {
    check_together(completed(config));
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

// The keys of networks and recipes that were not chosen. Values set for them are checked, reported and
// then ignored: older configurations held the keys of all networks.
class Others {
 public:
  explicit Others(const TrainConfig& chosen) {
    for (const models::Network& network : models::networks())
      if (network.name != chosen.model.name()) networks_.emplace_back(network.name);
    for (const RecipeEntry& recipe : recipes())
      if (recipe.name != chosen.recipe.name()) recipes_.emplace_back(recipe.name);
    for (models::NetworkConfig& network : networks_) add(network_fields(network));
    for (RecipeConfig& recipe : recipes_) add(recipe.fields());
  }

  // Adds these rows behind those of the table, which win where both have a path.
  std::vector<Field> behind(std::vector<Field> table) const {
    for (const Field& field : fields_)
      if (!has(table, field)) table.push_back(field);
    return table;
  }

  // The paths outside the table whose values are no longer the defaults.
  std::vector<std::string> set(const std::vector<Field>& table) const {
    std::vector<std::string> paths;
    for (std::size_t i = 0; i < fields_.size(); ++i)
      if (!has(table, fields_[i]) && write_fields({&fields_[i], 1}) != defaults_[i])
        paths.push_back(fields_[i].path);
    return paths;
  }

 private:
  static bool has(const std::vector<Field>& table, const Field& field) {
    return std::any_of(table.begin(), table.end(),
                       [&](const Field& row) { return row.path == field.path; });
  }
  void add(const std::vector<Field>& fields) {
    for (const Field& field : fields) {
      if (has(fields_, field)) continue;
      fields_.push_back(field);
      defaults_.push_back(write_fields({&field, 1}));
    }
  }

  std::deque<models::NetworkConfig> networks_;  // the fields point into them
  std::deque<RecipeConfig> recipes_;
  std::vector<Field> fields_;
  std::vector<std::string> defaults_;  // as text
};

// The network and the recipe decide which rows there are, so they are read first. Unless it is told,
// the recipe is the network's.
void choose(TrainConfig& config, const std::string& text, const std::string& source,
            std::span<const std::string> assignments) {
  std::string network = config.model.name(), recipe;
  const Field fields[]{{"model.network", &network, "", {}, models::network_names()},
                       {"recipe", &recipe, "", {}, recipe_names()}};
  read_fields(fields, text, source, {}, UnknownKeys::skipped);
  for (const std::string& assignment : assignments)
    if (assignment.starts_with("model.network=") || assignment.starts_with("recipe="))
      set_field(fields, assignment, {});
  config.model = models::NetworkConfig(network);
  config.recipe = RecipeConfig(recipe.empty() ? config.model.recipe() : recipe);
}

}  // namespace

TrainConfig parse_config(const std::string& text, const std::string& source, const fs::path& folder,
                         std::span<const std::string> assignments) {
  TrainConfig config;
  // "x.json" has an empty folder, which absolute() refuses.
  const fs::path base = folder.empty() ? fs::current_path() : fs::absolute(folder);
  config.out = (base / config.out).lexically_normal();
  choose(config, text, source, assignments);
  const Others others(config);
  const std::vector<Field> table = fields_of(config), fields = others.behind(table);
  read_fields(fields, text, source, base);
  // A later assignment may mend what an earlier one spoils, so an error is thrown only at the end. Its
  // text names the source or assignment that brought it.
  std::string complaint = complaint_about(config), blamed = source;
  for (const std::string& assignment : assignments) {
    set_field(fields, assignment, fs::current_path());
    const std::string now = complaint_about(config);
    if (now != complaint) blamed = "--set " + assignment;
    complaint = now;
  }
  check(complaint.empty(), blamed, ": ", complaint);
  config.unused = others.set(table);
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

std::string config_help(std::span<const std::string> assignments) {
  TrainConfig defaults;
  choose(defaults, "{}", "help", assignments);
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
  std::sort(differences.begin(), differences.end());
  return differences;
}

}  // namespace mini::train
