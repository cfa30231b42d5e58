//! Every table and column that the settings name, and where: for the doctor, who looks whether they are there.

use jiff::Timestamp;
use lethe_format::ledger::SubjectRef;
use lethe_format::reference::TableColumns;
use lethe_rules::doctor::Named;

use super::Settings;
use crate::failure::Failure;

impl Settings {
    /// # Errors
    /// If one of the sections cannot be understood.
    pub(crate) fn named(&self) -> Result<Vec<Named>, Failure> {
        let mut found: Vec<Named> = Vec::new();
        for name in self.file.subject.keys() {
            found.push(of_subject(format!("[subject.{name}]"), &self.subject_ref(name)?));
        }
        for reference in self.references()? {
            let when = reference.when.iter().map(|when| when.column.clone());
            let mut from = of_columns(format!("[[reference]] {reference}"), &reference.from);
            from.columns.extend(when);
            found.push(from);
            found.push(of_columns(format!("[[reference]] {reference}"), &reference.to));
        }
        for column in self.large_object_columns()? {
            found.push(of_columns("[[large_object]]".to_owned(), &column));
        }
        for section in self.not_personal()? {
            let columns = section.columns.unwrap_or_default();
            found.push(Named { setting: "[[not_personal]]".to_owned(), table: section.table, columns });
        }
        let anonymise = self.anonymise(Timestamp::now())?;
        for mask in anonymise.masks {
            let columns = mask.columns.into_iter().map(|(name, _)| name).chain(mask.via.unwrap_or_default());
            let setting = "[[anonymise]]".to_owned();
            found.push(Named { setting, table: mask.table, columns: columns.collect() });
        }
        if let Some(rule) = anonymise.inactive {
            let mut named = of_subject("[inactive]".to_owned(), &rule.subject);
            named.columns.push(rule.column);
            found.push(named);
        }
        for mask in anonymise.everybody {
            let columns = mask.columns.into_iter().map(|column| column.name).collect();
            found.push(Named { setting: "[[mask]]".to_owned(), table: mask.table, columns });
        }
        Ok(found)
    }
}

fn of_subject(setting: String, subject: &SubjectRef) -> Named {
    Named { setting, table: subject.table.clone(), columns: subject.columns.clone().unwrap_or_default() }
}

fn of_columns(setting: String, columns: &TableColumns) -> Named {
    Named { setting, table: columns.table.clone(), columns: columns.columns.clone() }
}
