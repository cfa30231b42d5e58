//! `lethe coverage`.

use lethe_engine::coverage::{Look, masks_for, of_source};
use lethe_format::catalog::{Catalog, display_ident};
use lethe_format::classification::Classification;
use lethe_rules::anonymise::{ColumnMask, Labelled};
use lethe_rules::coverage::{Covered, CoveredColumn, Why};
use lethe_rules::objection::Objection;
use serde_json::json;

use crate::args::Coverage;
use crate::failure::Failure;
use crate::output::Output;
use crate::settings::Settings;

pub(crate) async fn run(settings: &Settings, args: Coverage, output: &Output) -> Result<(), Failure> {
    let source = settings.source(args.from.as_deref())?;
    let classification = settings.classification()?.ok_or_else(|| {
        Failure::usage("no kind of people is named")
            .hint("[subject.user] with table = \"public.users\" in lethe.toml: whose data is to be found")
    })?;
    let references = settings.references()?;
    let look = match (args.no_values || args.suggest_masks, args.suggest) {
        (true, _) => Look::Names,
        (false, true) => Look::Places,
        (false, false) => Look::Values,
    };
    let found = of_source(&source, &references, &classification, look).await?;
    if args.suggest_masks {
        return suggest_masks(settings, &found.catalog, &classification, output);
    }
    for column in &found.not_looked_at {
        settings.warn(format!("values of {column} were not looked at: it took too long"));
    }
    let open = found.columns.iter().filter(|column| column.is_open()).count();
    let suggestion = args.suggest.then(|| found.suggestion(&references, &classification));
    if let Some(suggestion) = &suggestion {
        output.say(suggestion.trim_end());
    } else {
        found.columns.iter().filter(|column| column.is_open()).for_each(|column| say(column, output));
        found.columns.iter().filter(|column| !column.is_open()).for_each(|column| say(column, output));
    }
    found.columns.iter().for_each(|column| output.item("column", column));
    let covered = found.columns.len() - open;
    let summary = json!({
        "open": open,
        "covered": covered,
        "suggestion": suggestion,
    });
    if open > 0 {
        let failure = Failure::failed(format!(
            "{open} columns may refer to people and nothing says what becomes of them"
        ));
        let hint = "[[reference]], or [[not_personal]] with a reason, in lethe.toml; --suggest writes what can be guessed";
        return Err(failure.hint(hint).with_summary("coverage", &summary));
    }
    if !args.suggest {
        output.say(format!("{covered} columns may refer to people, and all of them are covered"));
    }
    output.summary("coverage", &summary);
    Ok(())
}

/// What a database for masked data alone would still object to.
fn suggest_masks(
    settings: &Settings,
    catalog: &Catalog,
    classification: &Classification,
    output: &Output,
) -> Result<(), Failure> {
    let (references, masks) = (settings.references()?, settings.table_masks()?);
    let missing = masks_for(catalog, &references, classification, masks);
    say_labels(&missing.labelled, output);
    let (left, text) = (missing.unmasked, missing.suggestion);
    output.say(text.trim_end());
    let by_label: Vec<String> = masked_by_label(&missing.labelled).collect();
    let summary = json!({"unmasked": left, "suggestion": text, "masked_by_label": by_label});
    if left > 0 {
        let failure = Failure::failed(format!("{left} columns may hold people's data and have no mask"));
        return Err(failure
            .hint("look at each line, then put it into lethe.toml; or [[not_personal]] with a reason")
            .with_summary("coverage", &summary));
    }
    output.say("every column that may hold people's data has a mask");
    output.summary("coverage", &summary);
    Ok(())
}

/// As comments, so that the output stays settings.
fn say_labels(labelled: &Labelled, output: &Output) {
    for mask in masked_by_label(labelled) {
        output.say(format!("# {mask}, by its security label"));
    }
    for column in &labelled.overruled {
        output.say(format!("# {column} is masked by [[mask]], not by its security label"));
    }
    for Objection { object, problem, .. } in &labelled.objections {
        output.say(format!("# {object}: {problem}"));
    }
    for table in &labelled.sampled {
        output.say(format!("# {table}: its TABLESAMPLE label is not followed, all rows come"));
    }
}

fn masked_by_label(labelled: &Labelled) -> impl Iterator<Item = String> {
    labelled.masks.iter().flat_map(|mask| {
        let name = |column: &ColumnMask| format!("{}.{}", mask.table, display_ident(&column.name));
        mask.columns
            .iter()
            .map(move |column| format!("{} is masked with {:?}", name(column), column.replacement))
    })
}

fn say(column: &CoveredColumn, output: &Output) {
    let (state, reason) = match &column.covered {
        Covered::Open => ("OPEN", String::new()),
        Covered::ForeignKey => ("foreign key", String::new()),
        Covered::Rule => ("reference", String::new()),
        Covered::WithItsRow => ("with its row", String::new()),
        Covered::Kept(because) => ("kept", format!(": {because}")),
        Covered::RuledOut(because) => ("ruled out", format!(": {because}")),
    };
    let why: Vec<&str> = column.why.iter().map(words).collect();
    let name = format!("{}.{}", column.table, display_ident(&column.column));
    output.say(format!("{state:<13} {name}  ({}){reason}", why.join(", ")));
}

fn words(why: &Why) -> &'static str {
    match why {
        Why::ReferenceName => "named like a reference to a person",
        Why::PersonalName => "named like a person's data",
        Why::Keys => "values are keys of somebody",
        Why::Addresses => "values are e-mail addresses",
        Why::DocumentNames => "names in it are like a person's data",
        Why::Document => "may hold anything",
        Why::FreeText => "text of any length",
        Why::Labelled => "its security label says so",
    }
}
