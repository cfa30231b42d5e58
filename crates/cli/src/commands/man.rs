//! The manual, from the same texts as `--help`.

use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use serde::Serialize;

use crate::args::{self, Args};
use crate::failure::Failure;
use crate::output::Output;

#[derive(Debug, Default, Serialize)]
struct Summary {
    pages: Vec<PathBuf>,
}

pub(crate) fn run(args: &args::Man, output: &Output) -> Result<(), Failure> {
    let folder = &args.directory;
    std::fs::create_dir_all(folder).map_err(|cause| unwritable(folder, &cause))?;
    let mut command = Args::command().disable_help_subcommand(true);
    command.build();
    let mut summary = Summary::default();
    write(command, folder, &mut summary.pages)?;
    output.say(format!("{} pages in {}", summary.pages.len(), folder.display()));
    output.summary("man", &summary);
    Ok(())
}

/// The page of a command, and those of the commands below it.
fn write(command: clap::Command, folder: &Path, pages: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let below: Vec<clap::Command> = command.get_subcommands().cloned().collect();
    let page = Man::new(command).manual("Lethe").source(concat!("lethe ", env!("CARGO_PKG_VERSION")));
    let path = folder.join(page.get_filename());
    let text = text(&page, !below.is_empty()).map_err(|cause| unwritable(&path, &cause))?;
    std::fs::write(&path, text).map_err(|cause| unwritable(&path, &cause))?;
    pages.push(path);
    below.into_iter().try_for_each(|command| write(command, folder, pages))
}

fn text(page: &Man, has_commands: bool) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    if has_commands {
        page.render_subcommands_section(&mut text)?;
    }
    exit_status().to_writer(&mut text)?;
    Ok(text)
}

/// `--help` ends with the codes; a manual has a section for them.
fn exit_status() -> Roff {
    let mut section = Roff::new();
    section.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in args::EXIT_CODES.lines().filter_map(|line| line.trim().split_once("  ")) {
        section.control("TP", []);
        section.text([bold(code)]);
        section.text([roman(meaning)]);
    }
    section
}

fn unwritable(path: &Path, cause: &std::io::Error) -> Failure {
    Failure::failed(format!("{} cannot be written: {cause}", path.display()))
        .hint("name a folder that you may write to")
}
