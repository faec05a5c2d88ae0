#include "infer/evaluate.h"

#include <fmt/core.h>
#include <unistd.h>

#include "io/file.h"
#include "tools/mini_infer/commands.h"

namespace mini::infer {
namespace {

// A model under the name that the table shows.
class NamedScaler : public Scaler {
 public:
  NamedScaler(Model model, std::string name) : model_(std::move(model)), name_(std::move(name)) {}
  std::string name() const override { return name_; }
  std::int64_t scale() const override { return model_.scaler->scale(); }

 protected:
  Tensor down(const Tensor& image) const override { return model_.scaler->downscale(image); }
  Tensor up(const Tensor& image) const override { return model_.scaler->upscale(image); }

 private:
  Model model_;
  std::string name_;
};

}  // namespace

std::vector<ModelOptions> each_model(const ModelOptions& model,
                                     const std::vector<std::string>& weights) {
  if (weights.empty()) return {model};
  std::vector<ModelOptions> each(weights.size(), model);
  for (std::size_t i = 0; i < weights.size(); ++i) each[i].weights = weights[i];
  return each;
}

int evaluate_models(const std::vector<ModelOptions>& models, const EvaluateOptions& options,
                    const EvaluateFiles& files) {
  for (const auto& file : {files.json, files.markdown})  // told now, not after an hour's work
    check(!file.has_parent_path() || std::filesystem::is_directory(file.parent_path()),
          file.string(), ": its folder does not exist");
  std::vector<std::unique_ptr<Scaler>> scalers;
  for (const ModelOptions& one : models) {
    Model model = load_model(one);
    if (scalers.empty()) scalers.push_back(bicubic_scaler(model.scaler->scale()));
    if (model.network == nullptr) continue;
    std::string name = model.network->name();
    if (models.size() > 1) name += " (" + printable(one.weights.string()) + ")";
    scalers.push_back(std::make_unique<NamedScaler>(std::move(model), std::move(name)));
  }
  std::vector<const Scaler*> methods;
  for (const auto& scaler : scalers) methods.push_back(scaler.get());

  const bool watched = isatty(STDERR_FILENO) != 0;
  const auto evaluation =
      evaluate(methods, files.places, options, [&](std::size_t done, std::size_t total) {
        if (watched) fmt::print(stderr, "\r{}/{} images{}", done, total, done == total ? "\n" : "");
      });
  const std::string table = to_markdown(evaluation);
  fmt::print("{}", table);
  if (!files.json.empty()) io::write_file_atomically(files.json, to_json(evaluation));
  if (!files.markdown.empty()) io::write_file_atomically(files.markdown, table);
  return 0;
}

}  // namespace mini::infer
