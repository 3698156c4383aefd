//! The words that a directory is put together from: as shown, and as they stand in an address.

/// Given names; the second spelling is that of addresses.
pub const GIVEN: [(&str, &str); 40] = [
    ("Maria", "maria"),
    ("James", "james"),
    ("Wei", "wei"),
    ("Fatima", "fatima"),
    ("Priya", "priya"),
    ("Zoë", "zoe"),
    ("Søren", "soren"),
    ("José", "jose"),
    ("Łukasz", "lukasz"),
    ("Ольга", "olga"),
    ("美咲", "misaki"),
    ("Jürgen", "juergen"),
    ("Chloé", "chloe"),
    ("Δήμητρα", "dimitra"),
    ("نور", "nour"),
    ("Barbara", "barbara"),
    ("David", "david"),
    ("Aisha", "aisha"),
    ("Carlos", "carlos"),
    ("Emma", "emma"),
    ("Noah", "noah"),
    ("Olivia", "olivia"),
    ("Liam", "liam"),
    ("Sofia", "sofia"),
    ("Lucas", "lucas"),
    ("Anna", "anna"),
    ("Mateo", "mateo"),
    ("Hannah", "hannah"),
    ("Ivan", "ivan"),
    ("Grace", "grace"),
    ("Kofi", "kofi"),
    ("Thandiwe", "thandiwe"),
    ("Arjun", "arjun"),
    ("Mei", "mei"),
    ("Daniel", "daniel"),
    ("Laura", "laura"),
    ("Tomás", "tomas"),
    ("Björn", "bjoern"),
    ("Siobhán", "siobhan"),
    ("Omar", "omar"),
];

/// Family names, the same way.
pub const FAMILY: [(&str, &str); 40] = [
    ("Smith", "smith"),
    ("García", "garcia"),
    ("Müller", "mueller"),
    ("Nguyễn", "nguyen"),
    ("Kim", "kim"),
    ("Øverland", "overland"),
    ("O'Brien", "obrien"),
    ("Петрова", "petrova"),
    ("田中", "tanaka"),
    ("Kowalski", "kowalski"),
    ("da Silva", "dasilva"),
    ("Çelik", "celik"),
    ("Papadopoulos", "papadopoulos"),
    ("Haddad", "haddad"),
    ("Jensen", "jensen"),
    ("Johnson", "johnson"),
    ("Patel", "patel"),
    ("Chen", "chen"),
    ("Rossi", "rossi"),
    ("Dubois", "dubois"),
    ("Ivanov", "ivanov"),
    ("Andersson", "andersson"),
    ("van Dijk", "vandijk"),
    ("Okafor", "okafor"),
    ("Mensah", "mensah"),
    ("Khan", "khan"),
    ("Singh", "singh"),
    ("Lopez", "lopez"),
    ("Brown", "brown"),
    ("Williams", "williams"),
    ("Novák", "novak"),
    ("Horváth", "horvath"),
    ("Laine", "laine"),
    ("Costa", "costa"),
    ("Weber", "weber"),
    ("Martin", "martin"),
    ("Cohen", "cohen"),
    ("Sato", "sato"),
    ("Nowak", "nowak"),
    ("Murphy", "murphy"),
];

/// Departments, each with the titles that it knows.
pub const DEPARTMENTS: [(&str, [&str; 3]); 12] = [
    ("Engineering", ["Software Engineer", "Staff Engineer", "Engineering Manager"]),
    ("Sales", ["Account Executive", "Sales Engineer", "Regional Director"]),
    ("Support", ["Support Engineer", "Support Lead", "Knowledge Manager"]),
    ("Finance", ["Accountant", "Controller", "Financial Analyst"]),
    ("People", ["Recruiter", "People Partner", "Payroll Specialist"]),
    ("Legal", ["Counsel", "Paralegal", "Privacy Officer"]),
    ("Operations", ["Operations Manager", "Buyer", "Planner"]),
    ("Logistics", ["Warehouse Associate", "Shift Lead", "Driver"]),
    ("Retail", ["Store Associate", "Store Manager", "Visual Merchandiser"]),
    ("Marketing", ["Copywriter", "Campaign Manager", "Brand Director"]),
    ("Research", ["Scientist", "Lab Technician", "Principal Investigator"]),
    ("Security", ["Security Analyst", "Incident Responder", "Security Architect"]),
];

/// A place of work.
pub struct Site {
    /// The town, as it is written there.
    pub town: &'static str,
    /// ISO 3166-1, two letters.
    pub country: &'static str,
    /// A street.
    pub street: &'static str,
    /// The first digits of its telephone numbers.
    pub dial: &'static str,
    /// The language that people there read.
    pub locale: &'static str,
    /// The IANA time zone.
    pub timezone: &'static str,
}

/// Where people work.
pub const SITES: [Site; 12] = [
    site(["Chicago", "US", "West Adams Street", "+1 312", "en-US", "America/Chicago"]),
    site(["London", "GB", "Old Street", "+44 20", "en-GB", "Europe/London"]),
    site(["Zürich", "CH", "Bahnhofstrasse", "+41 44", "de-CH", "Europe/Zurich"]),
    site(["München", "DE", "Sonnenstraße", "+49 89", "de-DE", "Europe/Berlin"]),
    site(["Kraków", "PL", "ulica Długa", "+48 12", "pl-PL", "Europe/Warsaw"]),
    site(["São Paulo", "BR", "Avenida Paulista", "+55 11", "pt-BR", "America/Sao_Paulo"]),
    site(["東京", "JP", "丸の内", "+81 3", "ja-JP", "Asia/Tokyo"]),
    site(["Bengaluru", "IN", "Residency Road", "+91 80", "en-IN", "Asia/Kolkata"]),
    site(["Αθήνα", "GR", "Οδός Ερμού", "+30 21", "el-GR", "Europe/Athens"]),
    site(["Nairobi", "KE", "Kenyatta Avenue", "+254 20", "en-KE", "Africa/Nairobi"]),
    site(["Montréal", "CA", "rue Sainte-Catherine", "+1 514", "fr-CA", "America/Toronto"]),
    site(["Sydney", "AU", "George Street", "+61 2", "en-AU", "Australia/Sydney"]),
];

const fn site(texts: [&'static str; 6]) -> Site {
    let [town, country, street, dial, locale, timezone] = texts;
    Site { town, country, street, dial, locale, timezone }
}

/// What projects are called.
pub const PROJECTS: [&str; 10] = [
    "Aurora", "Basalt", "Condor", "Delta", "Élan", "Fjord", "Granit", "Horizont", "Île", "Jupiter",
];
