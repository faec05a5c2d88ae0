#include "infer/evaluate.h"

#include <fmt/core.h>
#include <unistd.h>

#include "infer/rates.h"
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
  Tensor up(const Tensor& image, int quality) const override {
    return model_.scaler->upscale(image, quality);
  }

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
  for (const auto& file : {files.json, files.markdown, files.report.page, files.report.plot})
    check_writable(file);
  check(models.size() == 1 || (files.report.page.empty() && files.report.plot.empty()),
        "--report, --plot: show one network; leave out all but one --weights");
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
  methods.reserve(scalers.size());
  for (const auto& scaler : scalers) methods.push_back(scaler.get());

  EvaluateOptions limited = options;
  limited.limits = read_options(models.front());
  const bool watched = isatty(STDERR_FILENO) != 0;
  auto evaluation =
      evaluate(methods, files.places, limited, [&](std::size_t done, std::size_t total) {
        if (watched) fmt::print(stderr, "\r{}/{} images{}", done, total, done == total ? "\n" : "");
      });
  for (const std::string& notice : evaluation.notices)
    fmt::print(stderr, "mini_infer: {}\n", printable(notice));
  evaluation.rates = compare_rates(evaluation, files.places, limited);
  const std::string table = to_markdown(evaluation);
  fmt::print("{}", table);
  if (!files.json.empty()) io::write_file_atomically(files.json, to_json(evaluation));
  if (!files.markdown.empty()) io::write_file_atomically(files.markdown, table);
  write_report(*methods.back(), models.front(), files.places, options.formats, options.qualities,
               files.report);
  return 0;
}

}  // namespace mini::infer
