// mini_gradcheck: checks every function of the catalogue and prints a table, one line a row of the
// registry. Exit code 1 when a check fails. Read next: mini_gradcheck/checks.h.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "tensor/allocator.h"
#include "tensor/version.h"
#include "tools/mini_gradcheck/checks.h"

namespace {

std::string error_text(double error) { return error < 0 ? "-" : fmt::format("{:.1e}", error); }

void print(const mini::suite::Report& report) {
  fmt::print("{:<24}{:>8}{:>10}{:>10}{:>10}{:>10}{:>8}{:>9}  {}\n", report.row->name, report.cases,
             error_text(report.forward), error_text(report.gradient), error_text(report.second),
             error_text(report.adjoint), report.checks, report.entries,
             report.passed() ? "pass" : "FAIL");
  for (const std::string& failure : report.failures) fmt::print("    {}\n", failure);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Checks the functions of mini's catalogue: forward, gradients, second order, adjoints"};
  std::vector<std::string> wanted;
  bool list = false;
  mini::Device device;
  app.add_option("--op", wanted, "only these functions");
  app.add_option_function<std::string>(
         "--device", [&](const std::string& name) { device = mini::parse_device(name); },
         "where to compute: cpu (the default), cuda, or cuda:N")
      ->type_name("DEVICE");
  app.add_flag("--list", list, "print the names of all rows");
  try {
    app.set_version_flag("--version", mini::version_text("mini_gradcheck"));
    app.parse(argc, argv);
    const auto& rows = mini::suite::registry();
    if (list) {
      for (const auto& row : rows) fmt::print("{}\n", row.name);
      return 0;
    }
    for (const std::string& name : wanted)
      mini::check(
          std::any_of(rows.begin(), rows.end(), [&](const auto& row) { return row.name == name; }),
          "mini_gradcheck: no function is called '", name, "'; --list prints them");
    mini::allocator(device);  // throws where there is no such device
    fmt::print("{:<24}{:>8}{:>10}{:>10}{:>10}{:>10}{:>8}{:>9}\n", "function", "shapes", "forward",
               "gradient", "second", "adjoint", "checks", "entries");
    std::int64_t checks = 0, entries = 0;
    int run = 0, failed = 0;
    for (const auto& row : rows) {
      if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), row.name) == wanted.end())
        continue;
      const mini::suite::Report report = mini::suite::run(row, device);
      print(report);
      ++run;
      checks += report.checks;
      entries += report.entries;
      failed += report.passed() ? 0 : 1;
    }
    fmt::print("{} rows, {} checks, {} entries of Jacobians compared, {} rows failed\n", run,
               checks, entries, failed);
    return failed == 0 ? 0 : 1;
  } catch (const CLI::ParseError& stop) {  // thrown for --help, too
    return app.exit(stop) == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
