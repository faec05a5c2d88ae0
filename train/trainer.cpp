// The training loop. See train/trainer.h.
#include "train/trainer.h"

#include <bit>
#include <limits>
#include <utility>

#include "infer/weights.h"
#include "io/file.h"
#include "ops/precision.h"
#include "tensor/isa.h"
#include "tensor/parallel.h"
#include "tensor/version.h"
#include "train/agreement.h"

namespace mini::train {
namespace {
namespace fs = std::filesystem;

// Independent streams of random numbers, all from the one seed.
enum Stream : std::uint64_t { initial_weights, training_noise };

// "3 processes of 8 threads, "; nothing for a process alone.
std::string processes_text(const Collective& collective) {
  if (collective.size() == 1) return {};
  const int threads = max_threads();
  return concat_text(collective.size(), " processes of ", threads,
                     threads == 1 ? " thread; " : " threads; ");
}

void set_products(Precision precision, Device device) {
  const bool rounds = precision == Precision::tf32 || precision == Precision::bfloat16;
  check(!rounds || device.is_cuda(),
        "precision: tf32 and bfloat16 are for a GPU (--device cuda); "
        "the ",
        device, " computes in float32 or float64");
  ops::set_products(precision == Precision::tf32       ? ops::Products::tf32
                    : precision == Precision::bfloat16 ? ops::Products::bfloat16
                                                       : ops::Products::full);
}

}  // namespace

Trainer::Trainer(TrainConfig config, TrainerOptions options)
    : config_(std::move(config)),
      options_(std::move(options)),
      collective_(options_.collective != nullptr ? *options_.collective : single_process()),
      best_score_(-std::numeric_limits<double>::infinity()) {
  check_same_configuration(collective_, config_text(config_));
  set_products(config_.precision, options_.device);
  const Generator root{static_cast<std::uint64_t>(config_.seed), 0};
  noise_ = root.fork(training_noise);
  Generator weights = root.fork(initial_weights);
  recipe_ = options_.recipe ? options_.recipe(config_, weights)
                            : config_.recipe.make(config_.model.make(weights), weights);
  recipe_->modules().to(dtype_of(config_.precision));
  recipe_->modules().to(options_.device);
  steps_ = std::make_unique<StepTaker>(
      *recipe_, StepOptions{.learning_rate =
                                [this](std::int64_t step) {
                                  return learning_rate(config_.schedule, config_.lr, step);
                                },
                            .clip_norm = config_.clip_norm,
                            .optimizer = config_.optimizer,
                            .replay = options_.replay,
                            .collective = &collective_});

  if (is_first()) {
    if (options_.resume.empty() && !options_.init.empty()) init(find_checkpoint(options_.init));
    if (!options_.resume.empty()) resume(find_checkpoint(options_.resume));
    if (options_.write) check_folder();
    validator_ = std::make_unique<Validator>(config_.validation, config_.recipe.format());
  }
  if (collective_.size() > 1) share_state();
  if (config_.ema > 0 && is_first() && !average_) average_.emplace(recipe_->network(), config_.ema);
  for (const std::string& key : config_.unused)
    notes_.push_back("note: " + key +
                     " is a key of other networks or recipes, without effect here");
  loader_ =
      std::make_unique<BatchLoader>(config_.data, root.seed, position_.step, share_of(collective_));
  check_same_images(collective_, loader_->image_count());
  if (!images_before_.empty() && images_before_ != loader_->fingerprint())
    notes_.emplace_back(
        "note: the training images are not those of before, so the run goes on otherwise than it "
        "would have");
}

Trainer::~Trainer() = default;

void Trainer::init(const fs::path& path) {
  const std::string note = infer::load_weights(recipe_->network(), path, options_.init_key);
  if (!note.empty()) notes_.push_back(note);
}

void Trainer::resume(const fs::path& path) {
  const Checkpoint checkpoint = load_checkpoint(path);
  try {
    recipe_->modules().load_state_dict(checkpoint.model);
    steps_->load_optimizer_state(checkpoint.optimizer);
    if (config_.ema > 0) {
      average_.emplace(recipe_->network(), config_.ema);
      if (checkpoint.average.empty())
        notes_.emplace_back(
            "note: the average of the weights begins here; the checkpoint has none");
      else
        average_->load_state(checkpoint.average);
    }
  } catch (const Error& error) {
    fail(path.string(), ": ", error.what());
  }
  position_ = checkpoint.position;
  validated_ = checkpoint.validated;
  saved_ = {position_, validated_};
  images_before_ = checkpoint.images;
  window_ = Means(checkpoint.window);
  noise_ = checkpoint.noise;
  best_score_ = checkpoint.best_score;
  notes_.push_back(concat_text("resuming at step ", position_.step, " from ", path.string()));
  try {
    const TrainConfig before = parse_config(checkpoint.config, path.string(), path.parent_path());
    for (const std::string& key : config_differences(before, config_))
      notes_.push_back("note: " + key + " is not what it was before");
  } catch (const Error& error) {  // of another version, whose keys were others
    notes_.push_back(
        concat_text("note: the configuration before cannot be compared: ", error.what()));
  }
}

// All processes start from rank 0's state, to the bit, and only rank 0 needs the file.
void Trainer::share_state() {
  for (const auto& [name, tensor] : recipe_->modules().state_dict()) collective_.broadcast(tensor);
  for (const auto& [name, tensor] : steps_->optimizer_state()) collective_.broadcast(tensor);
  const Tensor numbers = Tensor::from(
      std::vector<std::int64_t>{position_.step, static_cast<std::int64_t>(position_.update),
                                validated_, std::bit_cast<std::int64_t>(noise_.seed),
                                std::bit_cast<std::int64_t>(noise_.offset)},
      {5});
  collective_.broadcast(numbers);
  const std::int64_t* const values = numbers.data<std::int64_t>();
  position_ = {values[0], static_cast<std::size_t>(values[1])};
  validated_ = values[2];
  noise_ = {std::bit_cast<std::uint64_t>(values[3]), std::bit_cast<std::uint64_t>(values[4])};
}

// Refuses an output folder that holds a run already, or that cannot be made. Two runs in one folder
// would mix their logs and remove each other's checkpoints.
void Trainer::check_folder() const {
  fs::path there = fs::absolute(config_.out);
  while (!fs::exists(there) && there.has_relative_path()) there = there.parent_path();
  check(fs::is_directory(there), "train: ", there.string(),
        " is no folder, so no run can be put there; choose another place (--out FOLDER)");
  RunFolder::check_free(config_.out);
  const bool goes_on = !options_.resume.empty() &&
                       fs::weakly_canonical(find_checkpoint(options_.resume)).parent_path() ==
                           fs::weakly_canonical(config_.out);
  check(goes_on || list_checkpoints(config_.out).empty(), "train: ", config_.out.string(),
        " already holds a run; go on with it (--resume) or choose another folder (--set out=...)");
}

void Trainer::open_outputs() {
  if (is_first()) {
    folder_.emplace(config_.out);
    io::write_file_atomically(config_.out / "config.json", config_text(config_));
  }
  reporter_ =
      std::make_unique<Reporter>(ReporterOptions{.folder = is_first() ? config_.out : fs::path(),
                                                 .log = config_.log,
                                                 .first_step = position_.step,
                                                 .steps = config_.steps,
                                                 .resumed = !options_.resume.empty(),
                                                 .validated = validated_,
                                                 .window = window_,
                                                 .processes = collective_.size(),
                                                 .out = is_first() ? options_.out : nullptr,
                                                 .screen = options_.screen});
  if (!is_first()) return;
  const models::Rescaler& network = recipe_->network();
  for (const std::string& note : notes_) reporter_->message(note);
  for (const std::string& line : loader_->skipped()) reporter_->message("left out " + line);
  for (const std::string& line : validator_->skipped()) reporter_->message("left out " + line);
  for (const std::string& line : loader_->notices()) reporter_->message(line);
  for (const std::string& line : validator_->notices()) reporter_->message(line);
  reporter_->message(concat_text(
      network.name(), " x", network.scale(), ", ", network.parameter_count(), " parameters; ",
      processes_text(collective_), loader_->image_count(), " images to train on, ",
      validator_->image_count(), " to validate on; results in ", config_.out.string()));
  if (!reporter_->log_is_empty()) return;
  reporter_->event("start", position_.step,
                   {{"version", version()},
                    {"instruction_set", cpu::name_of(cpu::isa())},
                    {"parameters", network.parameter_count()},
                    {"images", loader_->image_count()},
                    {"processes", std::int64_t{collective_.size()}}});
}

Outcome Trainer::run() {
  open_outputs();
  Outcome outcome = Outcome::stopped;
  while (!collective_.any(told_to_stop())) {
    // Saves before validation as well: should that fail, for instance for want of memory, no step is lost.
    if (due(config_.checkpoint.every)) save();
    if (validation_due()) {
      if (!validate()) continue;
      if (due(config_.checkpoint.every)) save();
    }
    if (step() >= config_.steps) {
      outcome = Outcome::finished;
      break;
    }
    train_step();
  }
  if (outcome == Outcome::stopped) {
    save();
    reporter_->message(concat_text("stopped after step ", step(), "; go on with --resume"));
  }
  if (folder_) folder_->check_there();
  reporter_->event(outcome == Outcome::finished ? "finished" : "stopped", step());
  folder_.reset();
  collective_.barrier();  // no process ends before everything is saved
  return outcome;
}

bool Trainer::due(std::int64_t every) const {
  return step() > 0 && (step() % every == 0 || step() == config_.steps);
}

void Trainer::train_step() {
  const StepResult result = steps_->take(loader_->next(), position_, noise_);
  if (result.not_finite) stop_not_finite(*result.not_finite);
  if (average_) average_->update();
  reporter_->step(step(), result.values, result.lr);
}

// Saves the state before this update.
void Trainer::stop_not_finite(const Named& term) {
  save();
  std::string name = term.first;
  if (const std::string norm = "gradient_norm"; name.ends_with(norm))
    name.replace(name.size() - norm.size(), norm.size(), "norm of the gradient");
  reporter_->event("not_finite", step(), {{"term", name}});
  collective_.barrier();
  fail("step ", step() + 1, ": ", name, " is ", term.second, "; the weights after step ", step(),
       " are kept in ", checkpoint_path(config_.out, step()).string());
}

StepMemory Trainer::measure_step() {
  Batch first = loader_->next(), second = loader_->next();
  loader_.reset();
  Allocator& memory = allocator(steps_->parameters().front().device());
  memory.trim();
  const auto take = [this](Batch batch) {
    const StepResult result = steps_->take(std::move(batch), position_, noise_);
    if (result.not_finite)
      fail("step ", step() + 1, ": ", result.not_finite->first, " is ", result.not_finite->second);
  };
  take(std::move(first));
  StepMemory result;
  for (const Tensor& parameter : steps_->parameters())
    result.parameters += parameter.storage()->block_bytes();
  for (const auto& [name, tensor] : steps_->optimizer_state())
    result.optimizer += tensor.storage()->block_bytes();
  memory.reset_peak();
  result.before = memory.stats().live;
  take(std::move(second));
  result.peak = memory.stats().peak;
  return result;
}

bool Trainer::validation_due() const {
  return !config_.validation.folders.empty() && due(config_.validation.every) &&
         validated_ != step();
}

// Rank 0 validates while the others wait for its result.
bool Trainer::validate() {
  const std::int64_t before = std::exchange(validated_, step());
  if (collective_.any(is_first() && run_validation())) return true;
  validated_ = before;
  return false;
}

bool Trainer::run_validation() {
  const Reporter::Pause pause(*reporter_);
  std::optional<Validation> result;
  {
    std::optional<WeightAverage::InUse> averaged;
    if (average_) averaged.emplace(*average_);
    result = validator_->run(recipe_->network(), [this] { return told_to_stop(); });
  }
  if (!result) return false;
  folder_->check_there();
  reporter_->validation(step(), *result);
  if (result->score > best_score_) {
    best_score_ = result->score;
    if (config_.checkpoint.keep_best) save_checkpoint(config_.out / "best.safetensors", state());
  }
  return true;
}

Checkpoint Trainer::state() const {
  return {.position = position_,
          .validated = validated_,
          .noise = noise_,
          .best_score = best_score_,
          .config = config_text(config_),
          .network_prefix = recipe_->network_prefix(),
          .images = loader_->fingerprint(),
          .window = reporter_->window().text(),
          .model = recipe_->modules().state_dict(),
          .average = average_ ? average_->state() : nn::StateDict(),
          .optimizer = steps_->optimizer_state()};
}

void Trainer::save() {
  check_same_weights(collective_, steps_->parameters(), step());
  if (!is_first()) return;
  const fs::path path = checkpoint_path(config_.out, step());
  const Reached reached(position_, validated_);
  if (saved_ == reached && fs::exists(path)) return;
  folder_->check_there();
  const Reporter::Pause pause(*reporter_);
  save_checkpoint(path, state());
  saved_ = reached;
  remove_old_checkpoints(config_.out, step(), config_.checkpoint.keep_last);
}

}  // namespace mini::train
