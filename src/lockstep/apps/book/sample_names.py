"""The words that the sample book is made of. All of it is made up."""

from __future__ import annotations

REPS = (("Priya", "Nair"), ("Marcus", "Bell"), ("Ana", "Souza"), ("Leo", "Fischer"))

# name, city, state, status, industry, rep, client tags
KNOWN_CLIENTS = (
    (
        "Kestrel Outdoor Co.",
        "Boulder",
        "Colorado",
        "Key account",
        "Retail",
        0,
        ("Holiday gifts", "Drinkware"),
    ),
    ("Harbour & Pine Coffee", "Portland", "Oregon", "Active", "Food & drink", 0, ("Drinkware",)),
    ("Fernhill Credit Union", "Burlington", "Vermont", "Active", "Finance", 1, ("New-hire kits",)),
    ("Brightwater School District", "Tacoma", "Washington", "Active", "Education", 2, ("Events",)),
    (
        "Marlowe & Finch Hotels",
        "Savannah",
        "Georgia",
        "Key account",
        "Hospitality",
        2,
        ("Uniforms", "Holiday gifts"),
    ),
    ("Tinfield Robotics", "Pittsburgh", "Pennsylvania", "Prospect", "Technology", 3, ("Trade shows",)),
    ("Quillstone Publishing", "Boston", "Massachusetts", "Active", "Media", 2, ()),
    ("Oakline Builders", "Reno", "Nevada", "Prospect", "Construction", 3, ("Workwear",)),
    ("Switchback Running Club", "Asheville", "North Carolina", "Active", "Non-profit", 0, ("Events",)),
    ("Low Lantern Brewing", "Duluth", "Minnesota", "Active", "Food & drink", 1, ("Drinkware",)),
    ("Saltmarsh Freight", "Norfolk", "Virginia", "Active", "Logistics", 3, ("Workwear",)),
    ("Stonefold Insurance", "Helena", "Montana", "Active", "Insurance", 1, ("New-hire kits",)),
    ("Saffron Table Group", "Austin", "Texas", "Lead", "Hospitality", 0, ()),
    ("Maple Row Dental", "Guelph", "Ontario", "Dormant", "Healthcare", 1, ()),
    ("Copper Finch Games", "Seattle", "Washington", "Active", "Technology", 0, ("Trade shows",)),
    ("Willowmere College", "Ithaca", "New York", "Active", "Education", 2, ("Events", "New-hire kits")),
    ("Peregrine Notary", "Providence", "Rhode Island", "Lead", "Legal", 3, ()),
    ("Hollow Oak Farms", "Lancaster", "Pennsylvania", "Prospect", "Agriculture", 1, ()),
    ("Cardinal Street Theatre", "Chicago", "Illinois", "Active", "Non-profit", 2, ("Events",)),
)

# first, last, position, department, local part of the address, tags
KESTREL_CONTACTS = (
    ("Dana", "Whitfield", "Marketing director", "Marketing", "dana.whitfield", ("VIP", "Holiday gifts")),
    ("Tomás", "Rivera", "Brand manager", "Marketing", "tomas.rivera", ("Drinkware",)),
    ("Ingrid", "Solberg", "Head of people", "Human resources", "ingrid.solberg", ("New-hire kits",)),
    ("Jon", "Abara", "Events coordinator", "Events", "jon.abara", ("Trade shows",)),
    ("Wei-Ling", "Tan", "Purchasing lead", "Purchasing", "orders", ("Workwear",)),
    ("Hannah", "Brooks", "Store operations", "Operations", "orders", ()),
    ("Sofia", "Marchetti", "Retail buyer", "Purchasing", "sofia.marchetti", ()),
    ("Patrick", "O’Dell", "Finance controller", "Finance", "patrick.odell", ()),
    ("Greg", "Lindqvist", "Warehouse lead", "Operations", "", ()),
)

FIRST_NAMES = (
    "Aaliyah Abel Ada Adriana Agnès Aiko Alejandro Amélie Anders Ángel Anika Anton Arjun Astrid"
    " Aubrey Avery Bea Beatrice Ben Björn Bruno Caleb Camila Carmen Cecilia Chloé Clara Cole Cyrus"
    " Daniel Daria David Deepa Delphine Dmitri Edith Elena Eli Elin Emeka Emma Erik Esther Ethan"
    " Eun-ji Fatima Felix Fiona Franz Gabriela George Grace Greta Hana Hannah Harriet Hassan Helena"
    " Henrik Hugo Ibrahim Ida Imani Ingrid Irene Isaac Ishaan Ivan Jack Jasmine Jeanne Jesús Joana"
    " Joel John Joseph Julia Kai Karin Kateřina Keiko Kofi Lars Laura Leila Lena Liam Lucía Łukasz Mai"
    " Malik Marek Maria Marit Mateo Maya Mei Mina Mohammed Nadia Naomi Neil Nia Nils Noor Nuno Olga"
    " Omar Oskar Otto Owen Paolo Paula Peter Petra Piotr Priyanka Rafael Ravi Renée Rosa Ruth Ryan"
    " Saïd Samir Sara Sebastián Sienna Signe Simon Sofía Stella Sven Tariq Teresa Theo Thomas Tobias"
    " Ursula Valentina Victor Vikram Wanda Wren Xavier Yara Yuki Zainab Zoë"
).split()

LAST_NAMES = (
    "Abbott Adeyemi Aguilar Ahmed Aker Albrecht Almeida Amrani Anand Andersson Aune Baker Banerjee"
    " Barros Bauer Becker Benitez Berg Bergqvist Bianchi Blake Boateng Bouchard Brandt Brennan"
    " Calloway Campbell Carter Castell Chang Chen Christensen Clarke Cohen Costa Cruz D’Angelo Dahl"
    " Daniels Díaz Dubois Durand Eklund El-Amin Eriksen Evans Falk Fernández Ferrer Fischer Fitzgerald"
    " Fontaine Foster Gallagher García Gonçalves Grange Gupta Haddad Hansen Hartog Hayes Hernández"
    " Hoffmann Holm Hughes Ibarra Ito Ivanova Jackson Jansen Jensen Johansson Johnson Kaczmarek"
    " Karlsson Kaya Keller Khan Kim Kowalski Krüger Kumar Lambert Larsen Le Lee Lefèvre Lindholm Lopez"
    " Łukasik Lykke MacLeod Mäkinen Marino Martin Martínez Mehta Mendes Mensah Meyer Miller Mitchell"
    " Moreau-Lind Morgan Moss Müller Murphy Nakamura Nguyễn Nielsen Novák Nwosu Nyström O’Brien"
    " O’Connor Okafor Oliveira Olsen Ortiz Osei Park Patel Pereira Petrov Pillai Popescu Prentice"
    " Quinn Qureshi Ramírez Ransome Reyes Ribeiro Roberts Romano Rossi Roux Ruiz Sánchez Santos Sato"
    " Schmidt Serra Sharma Singh Smith Sørby Stavros Stewart Suzuki Tan Tanabe Taylor Thompson Tolland"
    " Torres Tremblay Turner Van_der_Berg Vargas Venn Virtanen Wagner Walker Wang Weber White Williams"
    " Wong Yamamoto Yıldız Young Zhang Zieliński"
).split()

CLIENT_WORDS = (
    "Alder Amber Anchor Ashford Aspen Atlas Beacon Birch Bluebird Bramble Bridgewater Brightside"
    " Cascade Cedar Chestnut Clearwater Cobalt Compass Coral Crescent Cypress Dovetail Driftwood"
    " Dunmore Eastgate Elmwood Ember Evergreen Fairview Falcon Fieldstone Foxglove Glenwood Granite"
    " Greenfield Hartwell Hawthorn Heron Hickory Highland Hilltop Ironwood Juniper Kingfisher"
    " Lakeshore Larkspur Laurel Linden Longview Magnolia Mariner Meadow Meridian Millbrook Mistral"
    " Monarch Northgate Oakridge Orchard Osprey Palisade Pebble Pinecrest Pioneer Prairie Quarry"
    " Rainier Redwood Ridgeline Riverbend Rosewood Rowan Sandpiper Seabrook Sequoia Sierra Silverton"
    " Skylark Solstice Sparrow Springfield Sterling Stonebridge Summit Sundance Tamarack Thistle"
    " Timber Trillium Valley Verdant Vista Walnut Waterford Westbrook Whitestone Wildwood Windmill"
    " Winslow Yarrow Zephyr"
).split()

# what the business is → its industry
BUSINESSES = (
    ("Credit Union", "Finance"),
    ("Capital", "Finance"),
    ("Insurance", "Insurance"),
    ("Hospital", "Healthcare"),
    ("Dental", "Healthcare"),
    ("Physiotherapy", "Healthcare"),
    ("Academy", "Education"),
    ("School District", "Education"),
    ("University", "Education"),
    ("Brewing", "Food & drink"),
    ("Bakery", "Food & drink"),
    ("Foods", "Food & drink"),
    ("Hotels", "Hospitality"),
    ("Resort & Spa", "Hospitality"),
    ("Builders", "Construction"),
    ("Roofing", "Construction"),
    ("Software", "Technology"),
    ("Robotics", "Technology"),
    ("Networks", "Technology"),
    ("Logistics", "Logistics"),
    ("Freight", "Logistics"),
    ("Motors", "Automotive"),
    ("Law Group", "Legal"),
    ("Realty", "Real estate"),
    ("Foundation", "Non-profit"),
    ("Food Bank", "Non-profit"),
    ("Outfitters", "Retail"),
    ("Books", "Retail"),
    ("Energy", "Energy"),
    ("Farms", "Agriculture"),
    ("Manufacturing", "Manufacturing"),
    ("Plastics", "Manufacturing"),
    ("Media", "Media"),
    ("Athletics", "Sports & recreation"),
    ("Travel", "Travel"),
    ("Consulting", "Professional services"),
    ("Accounting", "Professional services"),
    ("County Parks", "Government"),
)

# department → positions
POSITIONS = (
    ("Marketing", ("Marketing director", "Marketing manager", "Brand manager", "Marketing coordinator")),
    ("Human resources", ("Head of people", "HR manager", "Recruiter", "Onboarding specialist")),
    ("Purchasing", ("Purchasing lead", "Buyer", "Procurement manager")),
    ("Events", ("Events coordinator", "Event manager", "Conference producer")),
    ("Executive", ("Chief executive", "Owner", "President", "Chief of staff")),
    ("Sales", ("Sales director", "Account executive", "Inside sales")),
    ("Operations", ("Operations manager", "Store operations", "Warehouse lead", "Office manager")),
    ("Finance", ("Finance controller", "Chief financial officer")),
    ("Administration", ("Executive assistant", "Office coordinator", "Receptionist")),
    ("Accounting", ("Accounts payable", "Bookkeeper")),
    ("IT", ("IT manager", "Systems administrator")),
)

PLACES = (
    ("Boulder", "Colorado", "80302", "United States"),
    ("Portland", "Oregon", "97205", "United States"),
    ("Burlington", "Vermont", "05401", "United States"),
    ("Tacoma", "Washington", "98402", "United States"),
    ("Savannah", "Georgia", "31401", "United States"),
    ("Pittsburgh", "Pennsylvania", "15222", "United States"),
    ("Boston", "Massachusetts", "02110", "United States"),
    ("Austin", "Texas", "78701", "United States"),
    ("Chicago", "Illinois", "60601", "United States"),
    ("Madison", "Wisconsin", "53703", "United States"),
    ("Nashville", "Tennessee", "37203", "United States"),
    ("San José", "California", "95112", "United States"),
    ("Tucson", "Arizona", "85701", "United States"),
    ("Albany", "New York", "12207", "United States"),
    ("Guelph", "Ontario", "N1H 3A1", "Canada"),
    ("Toronto", "Ontario", "M5V 2T6", "Canada"),
    ("Montréal", "Québec", "H2Y 1C6", "Canada"),
    ("Vancouver", "British Columbia", "V6B 1A1", "Canada"),
    ("Halifax", "Nova Scotia", "B3J 1S9", "Canada"),
)

STREETS = (
    "Main Oak Maple Foothill Harbour Mill Station King Queen Cedar Park Lake River Market Church".split()
)
STREET_KINDS = ("Street", "Road", "Avenue", "Lane", "Drive")

CLIENT_TAGS = (
    "Holiday gifts",
    "Drinkware",
    "New-hire kits",
    "Events",
    "Uniforms",
    "Trade shows",
    "Workwear",
    "Webstore",
    "Eco only",
    "Rush orders",
)

CONTACT_TAGS = (
    "VIP",
    "Holiday gifts",
    "Drinkware",
    "New-hire kits",
    "Trade shows",
    "Workwear",
    "Decision maker",
    "Catalogue by post",
    "Golf day",
    "Newsletter",
    "🎁 Gift season",
    "Café visits",
)

# Together well over the 255 bytes that fit into a text field at Mailchimp.
LONG_TAGS = (
    "Interested in sustainable and recycled product lines",
    "Approves orders above ten thousand dollars",
    "Prefers samples before any quotation",
    "Met at the Las Vegas trade show in January",
    "Birthday gift every October — chocolate without nuts",
    "Größe XL für Textilien",
    "Speaks français",
    "☕ Sends referrals from the roasters’ association",
)

NO_MARKETING_REASONS = (
    "Asked by phone",
    "Asked by e-mail",
    "Competitor’s employee",
    "Said so at the trade show",
    "",
)
