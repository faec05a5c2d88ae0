// The training loop. See train/trainer.h.
#include "train/trainer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <ostream>
#include <utility>

#include "autograd/engine.h"
#include "io/file.h"
#include "ops/precision.h"
#include "tensor/parallel.h"
#include "tensor/version.h"
#include "tensor/view.h"
#include "train/agreement.h"
#include "train/weights.h"

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

// "jpeg 75: 31.02 dB (bicubic 29.80)"
std::string validation_text(const Evaluation& table) {
  std::string text;
  char numbers[64];
  for (std::size_t i = 0; i + 1 < table.rows.size(); i += 2) {
    const EvaluationRow &ours = table.rows[i], &bicubic = table.rows[i + 1];
    std::snprintf(numbers, sizeof numbers, "%.3f dB (bicubic %.3f)", ours.mean.psnr_y,
                  bicubic.mean.psnr_y);
    text +=
        concat_text(i == 0 ? "" : ", ", io::name_of(ours.format), " ", ours.quality, ": ", numbers);
  }
  return text;
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

void Trainer::Window::add(const std::vector<std::pair<std::string, double>>& values) {
  if (sums.empty()) {
    sums = values;
  } else {
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i].second += values[i].second;
  }
  ++count;
}

std::vector<std::pair<std::string, double>> Trainer::Window::means() const {
  auto means = sums;
  for (auto& [name, value] : means) value /= count;
  return means;
}

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
  network_ = models::make_rescaler(config_.model, weights);
  network_->to(dtype_of(config_.precision));
  network_->to(options_.device);
  network_->set_memory(config_.memory);
  parameters_ = network_->parameters();
  optimizer_ = std::make_unique<Adam>(network_->named_parameters(), config_.adam);
  objective_ = options_.objective ? std::move(options_.objective)
                                  : make_objective(config_.model.network, config_.objective);

  if (is_first()) {
    if (!options_.resume.empty())
      resume(find_checkpoint(options_.resume));
    else if (!options_.init.empty())
      init(find_checkpoint(options_.init));
    if (options_.write) check_folder();
    validator_ = std::make_unique<Validator>(config_.validation, config_.objective.format);
  }
  if (collective_.size() > 1) {
    share_state();
    sync_.emplace(parameters_, collective_);
  }
  pass_ = std::make_unique<TrainingPass>(
      *network_, *objective_,
      PassOptions{.replay = options_.replay && collective_.size() == 1,
                  .share = share_of(collective_),
                  .backward = [this](const Tensor& loss) { backward_all(loss); }});
  loader_ = std::make_unique<BatchLoader>(config_.data, root.seed, step_, share_of(collective_));
  check_same_images(collective_, loader_->image_count());
}

Trainer::~Trainer() = default;

void Trainer::init(const fs::path& path) {
  const std::string note = load_weights(*network_, path, options_.init_key);
  if (!note.empty()) notes_.push_back(note);
}

void Trainer::resume(const fs::path& path) {
  const Checkpoint checkpoint = load_checkpoint(path);
  try {
    network_->load_state_dict(checkpoint.model);
    optimizer_->load_state(checkpoint.optimizer);
  } catch (const Error& error) {
    fail(path.string(), ": ", error.what());
  }
  step_ = checkpoint.step;
  validated_ = checkpoint.validated;
  saved_ = {step_, validated_};
  noise_ = checkpoint.noise;
  best_score_ = checkpoint.best_score;
  notes_.push_back(concat_text("resuming at step ", step_, " from ", path.string()));
  try {
    const TrainConfig before = parse_config(checkpoint.config, path.string(), path.parent_path());
    for (const std::string& key : config_differences(before, config_))
      notes_.push_back("note: " + key + " is not what it was before");
  } catch (const Error& error) {  // of another version, whose keys were others
    notes_.push_back(
        concat_text("note: the configuration before cannot be compared: ", error.what()));
  }
}

// Everybody starts from rank 0's state, to the bit, and needs no file for it.
void Trainer::share_state() {
  for (const auto& [name, tensor] : network_->state_dict()) collective_.broadcast(tensor);
  for (const auto& [name, tensor] : optimizer_->state()) collective_.broadcast(tensor);
  const Tensor numbers = Tensor::from(
      std::vector<std::int64_t>{step_, validated_, std::bit_cast<std::int64_t>(noise_.seed),
                                std::bit_cast<std::int64_t>(noise_.offset)},
      {4});
  collective_.broadcast(numbers);
  const std::int64_t* const values = numbers.data<std::int64_t>();
  step_ = values[0];
  validated_ = values[1];
  noise_ = {std::bit_cast<std::uint64_t>(values[2]), std::bit_cast<std::uint64_t>(values[3])};
}

// That it is none, or can be made. Two runs in one folder would mix their logs and remove each
// other's checkpoints.
void Trainer::check_folder() const {
  fs::path there = fs::absolute(config_.out);
  while (!fs::exists(there) && there.has_relative_path()) there = there.parent_path();
  check(fs::is_directory(there), "train: ", there.string(),
        " is no folder, so no run can be put there; choose another place (--out FOLDER)");
  const bool goes_on = !options_.resume.empty() &&
                       fs::weakly_canonical(find_checkpoint(options_.resume)).parent_path() ==
                           fs::weakly_canonical(config_.out);
  check(goes_on || list_checkpoints(config_.out).empty(), "train: ", config_.out.string(),
        " already holds a run; go on with it (--resume) or choose another folder (--set out=...)");
}

void Trainer::open_outputs() {
  nowhere_ = std::make_unique<std::ostream>(nullptr);
  const bool shown = is_first() && options_.out != nullptr;
  progress_ = std::make_unique<Progress>(shown ? *options_.out : *nowhere_, options_.columns, step_,
                                         config_.steps, collective_.size());
  if (!is_first()) return;
  fs::create_directories(config_.out);
  io::remove_stale_temporaries(config_.out);
  io::write_file_atomically(config_.out / "config.json", config_text(config_));
  // A new run starts a new log, whatever a run that ended before its first checkpoint left.
  log_ = std::make_unique<JsonLog>(config_.out / "log.jsonl",
                                   options_.resume.empty() ? std::int64_t{-1} : step_);
  if (config_.log.tensorboard)
    board_ = std::make_unique<TensorBoard>(config_.out / "tensorboard", step_ + 1);
  for (const std::string& note : notes_) progress_->message(note);
  for (const std::string& line : loader_->skipped()) progress_->message("left out " + line);
  for (const std::string& line : validator_->skipped()) progress_->message("left out " + line);
  for (const std::string& line : loader_->notices()) progress_->message(line);
  progress_->message(concat_text(
      network_->name(), " x", network_->scale(), ", ", network_->parameter_count(), " parameters; ",
      processes_text(collective_), loader_->image_count(), " images to train on, ",
      validator_->image_count(), " to validate on; results in ", config_.out.string()));
  log("start", {{"version", version()},
                {"parameters", network_->parameter_count()},
                {"images", loader_->image_count()},
                {"processes", std::int64_t{collective_.size()}}});
}

Outcome Trainer::run() {
  open_outputs();
  Outcome outcome = Outcome::stopped;
  while (!collective_.any(told_to_stop())) {
    // Before validation too: should it fail, for want of memory say, no step is lost.
    if (due(config_.checkpoint.every)) save();
    if (validation_due()) {
      if (!validate()) continue;
      if (due(config_.checkpoint.every)) save();
    }
    if (step_ >= config_.steps) {
      outcome = Outcome::finished;
      break;
    }
    train_step();
  }
  if (outcome == Outcome::stopped) {
    save();
    progress_->message(concat_text("stopped after step ", step_, "; go on with --resume"));
  }
  log(outcome == Outcome::finished ? "finished" : "stopped");
  collective_.barrier();  // nobody ends before all is saved
  return outcome;
}

bool Trainer::due(std::int64_t every) const {
  return step_ > 0 && (step_ % every == 0 || step_ == config_.steps);
}

// Losses are means over the whole batch; the gradients, and their norm, are those of it already.
std::vector<Named> Trainer::run_pass(Batch&& taken) {
  const auto prepared = [this](Tensor&& images) {
    const Tensor own = std::move(images);
    const DType dtype = dtype_of(config_.precision);
    if (options_.device.is_cpu()) return ops::cast(own, dtype);
    return from_host(own.shape(), dtype, options_.device,
                     [&](const Tensor& values) { ops::copy(own, values); });
  };
  const Tensor hr = prepared(std::move(taken.hr));
  const Tensor lr_reference = prepared(std::move(taken.lr_reference));
  std::vector<Named> values = pass_->run(hr, lr_reference, noise_);
  if (collective_.size() == 1) return values;
  std::vector<double> losses;
  for (std::size_t i = 0; i + 1 < values.size(); ++i) losses.push_back(values[i].second);
  const std::vector<double> sums = collective_.all_reduce(losses);
  for (std::size_t i = 0; i < sums.size(); ++i) values[i].second = sums[i] / collective_.size();
  return values;
}

Trainer::Step Trainer::take_step(Batch batch) {
  Step step{.values = run_pass(std::move(batch))};
  for (const Named& value : step.values)
    if (!std::isfinite(value.second)) {
      step.not_finite = value;
      return step;
    }
  const double norm = step.values.back().second;
  step.lr = learning_rate(config_.schedule, config_.lr, step_);
  optimizer_->step(step.lr, config_.clip_norm > 0 ? clip_factor(norm, config_.clip_norm) : 1);
  // Now, not before the next backward: until then the next activations need the memory.
  network_->zero_grad();
  ++step_;
  return step;
}

// The gradient of the mean over all processes is the sum of those of the shares, each divided by
// their number: at the start of backward, where it costs nothing.
void Trainer::backward_all(const Tensor& loss) {
  if (!sync_) return backward(loss);
  const Tensor part =
      Tensor::full(loss.shape(), 1.0 / collective_.size(), loss.dtype(), loss.device());
  backward(loss, part,
           {.leaf_complete = [this](const AutogradMeta& leaf) { sync_->complete(leaf); }});
  sync_->finish();
}

void Trainer::train_step() {
  const Generator noise_before = noise_;
  const Step step = take_step(loader_->next());
  if (step.not_finite) stop_not_finite(*step.not_finite, noise_before);
  window_.add(step.values);
  report(step.lr);
}

// What is saved is the state before this step.
void Trainer::stop_not_finite(const Named& term, const Generator& noise_before) {
  noise_ = noise_before;
  save();
  const std::string name = term.first == "gradient_norm" ? "norm of the gradient" : term.first;
  log("not_finite", {{"term", name}});
  collective_.barrier();
  fail("step ", step_ + 1, ": ", name, " is ", term.second, "; the weights after step ", step_,
       " are kept in ", checkpoint_path(config_.out, step_).string());
}

StepMemory Trainer::measure_step() {
  Batch first = loader_->next(), second = loader_->next();
  loader_.reset();
  Allocator& memory = allocator(parameters_.front().device());
  memory.trim();
  const auto take = [this](Batch batch) {
    const Step step = take_step(std::move(batch));
    if (step.not_finite)
      fail("step ", step_ + 1, ": ", step.not_finite->first, " is ", step.not_finite->second);
  };
  take(std::move(first));
  StepMemory result;
  for (const Tensor& parameter : parameters_)
    result.parameters += parameter.storage()->block_bytes();
  for (const auto& [name, tensor] : optimizer_->state())
    result.optimizer += tensor.storage()->block_bytes();
  memory.reset_peak();
  result.before = memory.stats().live;
  take(std::move(second));
  result.peak = memory.stats().peak;
  return result;
}

void Trainer::report(double lr) {
  const auto means = window_.means();
  const bool line_due = due(config_.log.every);
  progress_->update(step_, means, line_due);
  if (!line_due) return;
  LogRecord record(means.begin(), means.end());
  record.emplace_back("lr", lr);
  log("train", record);
  if (board_) {
    for (const auto& [name, value] : means) board_->scalar("train/" + name, value, step_);
    board_->scalar("train/lr", lr, step_);
  }
  window_ = {};
}

bool Trainer::validation_due() const {
  return !config_.validation.folders.empty() && due(config_.validation.every) &&
         validated_ != step_;
}

// By rank 0, while the others wait to hear how it went.
bool Trainer::validate() {
  const std::int64_t before = std::exchange(validated_, step_);
  if (collective_.any(is_first() && run_validation())) return true;
  validated_ = before;
  return false;
}

bool Trainer::run_validation() {
  progress_->pause();
  const std::optional<Validation> result =
      validator_->run(*network_, [this] { return told_to_stop(); });
  if (!result) return false;
  LogRecord record;
  for (const EvaluationRow& row : result->table.rows) {
    const std::string key =
        concat_text("psnr_y_", row.method, "_", io::name_of(row.format), row.quality);
    record.emplace_back(key, row.mean.psnr_y);
    if (board_) board_->scalar("validation/" + key, row.mean.psnr_y, step_);
  }
  log("validation", record);
  progress_->message(concat_text("step ", step_, ", PSNR-Y ", validation_text(result->table)));

  const fs::path folder = config_.out / "pictures" / checkpoint_path("", step_).stem();
  if (!result->pictures.empty()) fs::create_directories(folder);
  for (const Picture& picture : result->pictures) {
    const io::Bytes png = io::encode(picture.image, io::ImageFormat::png, 100);
    io::write_file_atomically(folder / (picture.name + ".png"), png);
    if (board_)
      board_->image("validation/" + picture.name, png, picture.image.size(0), picture.image.size(1),
                    step_);
  }
  if (result->score > best_score_) {
    best_score_ = result->score;
    if (config_.checkpoint.keep_best) save_checkpoint(config_.out / "best.safetensors", state());
  }
  progress_->resume();
  return true;
}

Checkpoint Trainer::state() const {
  return {.step = step_,
          .validated = validated_,
          .noise = noise_,
          .best_score = best_score_,
          .config = config_text(config_),
          .model = network_->state_dict(),
          .optimizer = optimizer_->state()};
}

void Trainer::save() {
  check_same_weights(collective_, parameters_, step_);
  if (!is_first()) return;
  const fs::path path = checkpoint_path(config_.out, step_);
  const auto progress_made = std::pair(step_, validated_);
  if (saved_ == progress_made && fs::exists(path)) return;
  progress_->pause();
  save_checkpoint(path, state());
  saved_ = progress_made;
  remove_old_checkpoints(config_.out, step_, config_.checkpoint.keep_last);
  progress_->resume();
}

void Trainer::log(const std::string& event, const LogRecord& record) {
  if (log_) log_->write(event, step_, record);
}

}  // namespace mini::train
