//! `strftime` on a moment that the caller gives.

use minijinja::{Error, ErrorKind};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const DAY: i64 = 86_400;

/// `datetime.strftime(format)` in English for `now`: seconds since 1970-01-01 00:00.
///
/// # Errors
/// For a directive that it does not know.
pub(super) fn strftime(format: &str, now: i64) -> Result<String, Error> {
    let (days, second) = (now.div_euclid(DAY), now.rem_euclid(DAY));
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let month_name = MONTHS[month as usize - 1];
    // The first of January 1970 was a Thursday.
    let weekday = (days + 4).rem_euclid(7);
    let weekday_name = WEEKDAYS[weekday as usize];
    let hour_of_12 = (hour + 11) % 12 + 1;
    let day_of_year = days - days_before(year) + 1;
    let mut text = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let mut directive = chars.next();
        let unpadded = directive == Some('-');
        if unpadded {
            directive = chars.next();
        }
        let digits = |number: i64, width: usize| {
            if unpadded { number.to_string() } else { format!("{number:0width$}") }
        };
        text += &match directive {
            Some('d') => digits(day, 2),
            Some('m') => digits(month, 2),
            Some('y') => digits(year.rem_euclid(100), 2),
            Some('Y') => digits(year, 4),
            Some('H') => digits(hour, 2),
            Some('I') => digits(hour_of_12, 2),
            Some('M') => digits(minute, 2),
            Some('S') => digits(second, 2),
            Some('j') => digits(day_of_year, 3),
            Some('w') => weekday.to_string(),
            Some('e') => format!("{day:2}"),
            Some('b' | 'h') => month_name[..3].to_owned(),
            Some('B') => month_name.to_owned(),
            Some('a') => weekday_name[..3].to_owned(),
            Some('A') => weekday_name.to_owned(),
            Some('p') => if hour < 12 { "AM" } else { "PM" }.to_owned(),
            Some('F') => format!("{year:04}-{month:02}-{day:02}"),
            Some('T') => format!("{hour:02}:{minute:02}:{second:02}"),
            Some('%') => "%".to_owned(),
            other => {
                let problem = format!("strftime knows no %{}", other.map(String::from).unwrap_or_default());
                return Err(Error::new(ErrorKind::InvalidOperation, problem));
            }
        };
    }
    Ok(text)
}

/// Year, month and day of a day since 1970-01-01 in the Gregorian calendar.
fn date(days: i64) -> (i64, i64, i64) {
    // A year has 365.2425 days on average, so the guess is off by one at most.
    let guess = 1970 + (days as f64 / 365.2425).floor() as i64;
    let year = if days < days_before(guess) {
        guess - 1
    } else if days >= days_before(guess + 1) {
        guess + 1
    } else {
        guess
    };
    let mut day = days - days_before(year);
    let mut month = 1;
    while day >= days_in(year, month) {
        day -= days_in(year, month);
        month += 1;
    }
    (year, month, day + 1)
}

/// Days from 1970-01-01 to the first of January of a year.
fn days_before(year: i64) -> i64 {
    let past = year - 1;
    365 * (year - 1970) + past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400) - 477
}

fn days_in(year: i64, month: i64) -> i64 {
    let leaps = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leaps),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::strftime;

    #[test]
    fn dates_are_those_of_the_gregorian_calendar() {
        let date = |now| strftime("%a %Y-%m-%d %j", now).unwrap();
        assert_eq!(date(0), "Thu 1970-01-01 001");
        assert_eq!(date(-1), "Wed 1969-12-31 365");
        assert_eq!(date(951_782_400), "Tue 2000-02-29 060");
        assert_eq!(date(1_735_603_200), "Tue 2024-12-31 366");
        assert_eq!(date(4_107_542_400), "Mon 2100-03-01 060");
    }

    #[test]
    fn the_forms_that_templates_use() {
        let now = 1_721_952_000 + 13 * 3600 + 5 * 60 + 9;
        assert_eq!(strftime("%d %b %Y", now).unwrap(), "26 Jul 2024");
        assert_eq!(strftime("%B %-d, %Y", now - 25 * 86_400).unwrap(), "July 1, 2024");
        assert_eq!(strftime("%A %I:%M:%S %p, 100%%", now).unwrap(), "Friday 01:05:09 PM, 100%");
        assert!(strftime("%Q", now).unwrap_err().to_string().contains("%Q"));
    }
}
